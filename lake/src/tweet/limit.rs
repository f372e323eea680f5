//! The number of tweets that a v1.1 stream reports as not delivered.

use std::sync::atomic::{AtomicU64, Ordering};

/// The highest value of `limit.track` so far. Several servers count independently, so the values are not monotonic:
/// only a new maximum counts.
#[derive(Debug, Default)]
pub struct Limited(AtomicU64);

impl Limited {
    /// A counter that starts at a known maximum.
    pub fn since(highest: u64) -> Limited {
        Limited(AtomicU64::new(highest))
    }

    /// The maximum so far.
    pub fn highest(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Records a value and returns by how much the maximum rose. With `may_restart`, a value below half of the maximum
    /// starts a new count: a recording may contain several connections, and the counts of one connection's servers are
    /// closer.
    pub fn rise(&self, track: u64, may_restart: bool) -> u64 {
        let highest = self.highest();
        if may_restart && track < highest / 2 {
            self.0.store(track, Ordering::Relaxed);
            return track;
        }
        self.0.store(highest.max(track), Ordering::Relaxed);
        track.saturating_sub(highest)
    }

    /// Resets the maximum to zero, for a new connection.
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
