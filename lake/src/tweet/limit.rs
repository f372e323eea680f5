//! How many tweets a v1.1 stream says it left out.

use std::sync::atomic::{AtomicU64, Ordering};

/// The counter of `limit.track`. It comes from several servers, each with a count of its own, so it is not monotonic: what
/// counts is how far its highest value has risen.
#[derive(Debug, Default)]
pub struct Limited(AtomicU64);

impl Limited {
    /// A counter whose highest value so far is known.
    pub fn since(highest: u64) -> Limited {
        Limited(AtomicU64::new(highest))
    }

    /// Its highest value so far.
    pub fn highest(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// How many more were not delivered than was known. A recording may hold several connections: with `may_restart`, a value
    /// below half of the highest is taken for the beginning of a new one, as servers' counts do not lie so far apart.
    pub fn rise(&self, track: u64, may_restart: bool) -> u64 {
        let highest = self.highest();
        if may_restart && track < highest / 2 {
            self.0.store(track, Ordering::Relaxed);
            return track;
        }
        self.0.store(highest.max(track), Ordering::Relaxed);
        track.saturating_sub(highest)
    }

    /// A new connection begins: its count begins at zero.
    pub fn restart(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_counts_its_rise_on_its_connection_and_not_its_value() {
        let rises = |tracks: &[u64], may_restart| {
            let limited = Limited::default();
            tracks.iter().map(|track| limited.rise(*track, may_restart)).collect::<Vec<u64>>()
        };
        assert_eq!(rises(&[5, 8, 3, 8, 12], false), [5, 3, 0, 0, 4]);
        assert_eq!(rises(&[100, 90, 120, 7, 9], true), [100, 0, 20, 7, 2]);
    }
}
