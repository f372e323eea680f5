//! The names of a lake's own objects, outside of the partition folders, and the time in an object's name.
//!
//! | name under the root | content |
//! |---|---|
//! | `_hours/<YYYY-MM-DDTHH>.json` | the hour's manifest |
//! | `_hours/<YYYY-MM-DDTHH>.late-<n>.json` | a manifest of late tweets of that hour |
//! | `late/<partition>/…` | objects of late tweets |
//! | `rejects/<YYYY-MM-DD>/rejects.<epoch-ms>.jsonl` | rejects, by day of arrival |
//! | `_agent.json` | the one agent that writes the lake |

use serde::{Deserialize, Serialize};

use crate::hour::Hour;
use crate::store::{Key, KeyError};

pub use crate::store::key::AGENT_KEY;

/// The folder of all manifests, with its slash.
pub const HOURS_PREFIX: &str = "_hours/";
/// The folder of late tweets, with its slash.
pub const LATE_PREFIX: &str = "late/";
/// The folder of rejects, with its slash.
pub const REJECTS_PREFIX: &str = "rejects/";
/// The name of the marker in a partition folder that Hadoop and Luigi look for.
pub(crate) const SUCCESS_NAME: &str = "_SUCCESS";

/// The name of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ManifestName {
    /// The hour that the manifest describes.
    pub hour: Hour,
    /// `None` for the manifest that closes the hour, 1 and up for late tweets.
    pub late: Option<u32>,
}

impl ManifestName {
    /// The name of the manifest that closes an hour.
    pub fn closing(hour: Hour) -> ManifestName {
        ManifestName { hour, late: None }
    }

    /// Parses a key under the lake's root; `None` if it is not that of a manifest.
    pub fn parse(key: &str) -> Option<ManifestName> {
        let name = key.strip_prefix(HOURS_PREFIX)?.strip_suffix(".json")?;
        match name.split_once(".late-") {
            None => Some(ManifestName { hour: name.parse().ok()?, late: None }),
            Some((hour, n)) => {
                let number: u32 = n.parse().ok()?;
                // Each number has one name: "late-01" and "late-0" are foreign.
                if number == 0 || n != number.to_string() {
                    return None;
                }
                Some(ManifestName { hour: hour.parse().ok()?, late: Some(number) })
            }
        }
    }

    /// The key of the manifest.
    pub fn key(self) -> Key {
        let name = match self.late {
            None => format!("{HOURS_PREFIX}{}.json", self.hour),
            Some(n) => format!("{HOURS_PREFIX}{}.late-{n}.json", self.hour),
        };
        Key::new(name).expect("an hour is written in digits, hyphens and a T")
    }
}

/// The epoch milliseconds in an object's file name, such as `tweets.1795323600123.json`: the last part between dots
/// that begins with ten digits or more (a suffix need not begin with a dot). `None` for names without one.
pub fn epoch_ms_in_name(file_name: &str) -> Option<i64> {
    let digits = |part: &str| part.bytes().take_while(u8::is_ascii_digit).count();
    let part = file_name.split('.').rev().find(|part| (10..=18).contains(&digits(part)))?;
    part[..digits(part)].parse().ok()
}

/// The key of the `_SUCCESS` marker in a partition folder.
///
/// # Errors
/// When the folder's name is not valid in a key.
pub fn success_key(folder: &str) -> Result<Key, KeyError> {
    Key::new(format!("{folder}/{SUCCESS_NAME}"))
}
