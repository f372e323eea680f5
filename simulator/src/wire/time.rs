//! Times as the APIs write them, in whole seconds and UTC.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Serialize, Serializer};

/// v1.1's form of milliseconds since the Unix epoch: `Sun Nov 22 05:00:00 +0000 2026`.
pub(crate) struct TimeV1(pub(crate) i64);

/// v2's form of milliseconds since the Unix epoch: `2026-11-22T05:00:00.000Z`.
pub(crate) struct TimeV2(pub(crate) i64);

/// The second of `ms`. Times of tweets lie after 2006 and before the present.
fn second(ms: i64) -> Timestamp {
    Timestamp::from_second(ms.div_euclid(1000)).unwrap_or(Timestamp::UNIX_EPOCH)
}

impl Serialize for TimeV1 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let at = second(self.0).to_zoned(TimeZone::UTC);
        serializer.collect_str(&at.strftime("%a %b %d %H:%M:%S %z %Y"))
    }
}

impl Serialize for TimeV2 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.3}", second(self.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_those_of_the_apis_and_drop_milliseconds() {
        let v1 = |ms| serde_json::to_string(&TimeV1(ms)).expect("a string");
        let v2 = |ms| serde_json::to_string(&TimeV2(ms)).expect("a string");
        assert_eq!(v1(1_795_323_600_123), "\"Sun Nov 22 05:00:00 +0000 2026\"");
        assert_eq!(v2(1_795_323_600_999), "\"2026-11-22T05:00:00.000Z\"");
        assert_eq!(v1(1_204_329_599_000), "\"Fri Feb 29 23:59:59 +0000 2008\"");
        assert_eq!(v2(1_204_329_599_000), "\"2008-02-29T23:59:59.000Z\"");
    }
}
