//! Rate limits: requests in fixed windows of time. Pure: callers pass the time.

/// A counter that restarts with each window.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    limit: u64,
    seconds: i64,
    used: u64,
    /// End of the window, seconds since the epoch.
    resets_at: i64,
}

/// The state of a counter, for the `x-rate-limit-*` headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quota {
    pub(crate) limit: u64,
    pub(crate) remaining: u64,
    /// Seconds since the epoch.
    pub(crate) resets_at: i64,
}

impl Window {
    /// `limit` requests in `seconds`.
    pub(crate) fn new(limit: u64, seconds: i64) -> Window {
        Window { limit, seconds, used: 0, resets_at: 0 }
    }

    /// Counts a request at `now` (seconds since the epoch). Returns the counter's state and whether the request is allowed.
    pub(crate) fn take(&mut self, now: i64) -> (Quota, bool) {
        if now >= self.resets_at {
            self.used = 0;
            self.resets_at = now + self.seconds;
        }
        let within = self.used < self.limit;
        self.used += u64::from(within);
        (Quota { limit: self.limit, remaining: self.limit - self.used, resets_at: self.resets_at }, within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_beyond_the_limit_waits_for_the_next_window() {
        let mut window = Window::new(2, 900);
        assert_eq!(window.take(1000), (Quota { limit: 2, remaining: 1, resets_at: 1900 }, true));
        assert!(window.take(1001).1);
        assert_eq!(window.take(1899), (Quota { limit: 2, remaining: 0, resets_at: 1900 }, false));
        assert_eq!(window.take(1900), (Quota { limit: 2, remaining: 1, resets_at: 2800 }, true));
    }
}
