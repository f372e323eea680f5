//! When each line of an object arrived, from the `arrivals` of its manifest: one entry per second.

/// Gives the arrival of each line of an object, in order.
#[derive(Debug, Clone)]
pub(crate) struct ArrivalCursor<'a> {
    /// (Seconds since the epoch, lines so far), both ascending.
    rest: &'a [(i64, u64)],
}

impl<'a> ArrivalCursor<'a> {
    /// A cursor over an object's [`arrivals`](crate::manifest::ObjectEntry::arrivals), before its first line.
    pub(crate) fn new(arrivals: &'a [(i64, u64)]) -> ArrivalCursor<'a> {
        ArrivalCursor { rest: arrivals }
    }

    /// When a line arrived, in microseconds since the epoch; `None` where the manifest has no entry. Lines are counted
    /// from 0 and must be requested in ascending order.
    pub(crate) fn at(&mut self, line: u64) -> Option<i64> {
        while let [(seconds, lines), later @ ..] = self.rest {
            if line < *lines {
                return seconds.checked_mul(1_000_000);
            }
            self.rest = later;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_arrived_in_the_second_whose_count_reaches_it() {
        let mut cursor = ArrivalCursor::new(&[(10, 2), (11, 3), (15, 5)]);
        let seconds: Vec<_> = (0..6).map(|line| cursor.at(line).map(|us| us / 1_000_000)).collect();
        assert_eq!(seconds, [Some(10), Some(10), Some(11), Some(15), Some(15), None]);
    }
}
