//! Names of objects under a store's root. A [`Key`] cannot leave the root, whatever a manifest or a caller says.

use std::fmt;

/// The key of the agent's lease.
pub const AGENT_KEY: &str = "_agent.json";

/// A name under a store's root: `/`-separated, no empty, `.` or `..` segment, no control character, at most 1,024 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

/// A text that cannot be a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key:?} cannot be the name of an object in a lake: {reason}")]
pub struct KeyError {
    key: String,
    reason: &'static str,
}

impl Key {
    /// Checks a name.
    ///
    /// # Errors
    /// When it is empty, too long, absolute, holds an empty, `.` or `..` segment, a backslash or a control character.
    pub fn new(key: impl Into<String>) -> Result<Key, KeyError> {
        let key = key.into();
        let reason = if key.is_empty() {
            "it is empty"
        } else if key.len() > 1024 {
            "it is longer than 1024 bytes"
        } else if key.chars().any(char::is_control) {
            "it holds a control character"
        } else if key.contains('\\') {
            "it holds a backslash"
        } else if key.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            "it has an empty, \".\" or \"..\" segment"
        } else {
            return Ok(Key(key));
        };
        Err(KeyError { key, reason })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// Everything before the last `/`; empty at the root.
    pub fn folder(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl serde::Serialize for Key {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Key {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Key, D::Error> {
        Key::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_cannot_leave_the_root() {
        for bad in ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", "./a", "a\\b", "a\0b", "a\nb"] {
            assert!(Key::new(bad).is_err(), "{bad:?} was taken as a key");
        }
        assert!(Key::new("x".repeat(1025)).is_err());
    }

    #[test]
    fn a_key_knows_its_folder_and_file_name() {
        let key = Key::new("11-22-05/tweets.1795323600123.json").expect("valid key");
        assert_eq!((key.folder(), key.file_name()), ("11-22-05", "tweets.1795323600123.json"));
        assert_eq!(Key::new("_agent.json").expect("valid key").folder(), "");
    }
}
