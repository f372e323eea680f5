//! Rejects: lines that are neither tweets nor known messages, kept apart with their reason.
//!
//! They lie under `rejects/<YYYY-MM-DD>/`, by the day of their arrival in UTC, one JSON object a line:
//!
//! | member | meaning |
//! |---|---|
//! | `received_at` | when the line arrived, RFC 3339 |
//! | `hour` | the hour whose manifest counts it; absent where the folders are no hours |
//! | `reason` | why it is a reject |
//! | `source` | where it stood: `archive/a.json line 17` |
//! | `length` | its whole length in bytes |
//! | `bytes` | its bytes in base64; fewer than `length` where it was too long |

use base64::Engine as _;
use serde::{Deserialize, Serialize};

use crate::hour::Hour;
use crate::lake::Lake;
use crate::names::REJECTS_PREFIX;
use crate::object::ObjectRef;
use crate::store::{StoreError, list_all};

/// One reject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptReject {
    /// When the line arrived.
    pub received_at: jiff::Timestamp,
    /// The hour whose manifest counts it; `None` where the lake's folders are no hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hour: Option<Hour>,
    /// Why it is a reject.
    pub reason: String,
    /// Where it stood, for people.
    pub source: String,
    /// Length of the whole line in bytes, without its line end.
    pub length: u64,
    /// Its bytes; the first ones where it was too long.
    #[serde(with = "base64_text")]
    pub bytes: Vec<u8>,
}

impl KeptReject {
    /// The line to be stored, without its line end.
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).expect("a reject has only string keys and serialises infallibly")
    }

    /// Reads a stored line.
    ///
    /// # Errors
    /// When it is not of this form.
    pub fn from_line(line: &[u8]) -> Result<KeptReject, serde_json::Error> {
        serde_json::from_slice(line)
    }

    /// The hour that counts it, or that of its arrival.
    pub fn hour_or_arrival(&self) -> Hour {
        self.hour.unwrap_or_else(|| Hour::containing(self.received_at.as_millisecond()))
    }

    /// Bytes of the line that were not kept.
    pub fn lost(&self) -> u64 {
        self.length.saturating_sub(self.bytes.len() as u64)
    }
}

mod base64_text {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::*;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&base64::engine::general_purpose::STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        base64::engine::general_purpose::STANDARD.decode(text.as_bytes()).map_err(D::Error::custom)
    }
}

/// The objects that hold a lake's rejects, by day and then by name. With `since` those of days before that hour's are left
/// out: a line arrives in its hour or later.
///
/// # Errors
/// When the store fails.
pub async fn objects(lake: &Lake, since: Option<Hour>) -> Result<Vec<ObjectRef>, StoreError> {
    let first = since.map(|hour| {
        let (year, month, day, _) = hour.civil();
        format!("{REJECTS_PREFIX}{year:04}-{month:02}-{day:02}/")
    });
    let found = list_all(lake.store().as_ref(), REJECTS_PREFIX).await?;
    let wanted = found.into_iter().filter(|meta| first.as_deref().is_none_or(|first| meta.key.as_str() >= first));
    Ok(wanted.map(ObjectRef::found).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_reject_is_written_and_read_back(
            bytes in proptest::collection::vec(any::<u8>(), 0..200), reason in ".*", source in ".*", more in 0..3_u64,
        ) {
            let reject = KeptReject {
                received_at: "2026-11-22T06:00:01.5Z".parse().expect("valid time"),
                hour: (more > 0).then(|| "2012-03-04T05".parse().expect("valid hour")),
                reason,
                source,
                length: bytes.len() as u64 + more,
                bytes,
            };
            let line = reject.to_line();
            prop_assert!(!line.contains('\n'));
            prop_assert_eq!(reject.lost(), more);
            prop_assert_eq!(KeptReject::from_line(line.as_bytes()).expect("readable"), reject);
        }
    }

    #[test]
    fn a_reject_of_an_earlier_version_counts_for_the_hour_of_its_arrival() {
        let line = br#"{"received_at":"2026-11-22T06:00:01Z","reason":"r","source":"s","length":2,"bytes":"aGk="}"#;
        let reject = KeptReject::from_line(line).expect("readable");
        assert_eq!((reject.hour, reject.bytes.as_slice()), (None, &b"hi"[..]));
        assert_eq!(reject.hour_or_arrival().to_string(), "2026-11-22T06");
    }
}
