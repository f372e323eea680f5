//! What a failed put means. Pure.
//!
//! A put with `If-None-Match: *` that fails may have landed all the same: the answer was lost, or an earlier attempt of
//! ours is what the store now holds. Only a look at what lies under the key decides, and it decides by length and hash,
//! never by "something is there".

use cauce_lake::StoreError;
use cauce_lake::store::{ErrorKind, ObjectMeta};

use super::circuit::Told;

/// What to do after a put has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Our object is there.
    Stored,
    /// Another object is there.
    Foreign(String),
    /// Put it again, after a while.
    Again,
}

/// Whether a look at the key is needed after this error.
pub fn must_look(error: &StoreError) -> bool {
    error.may_have_happened()
}

/// Decides by what lies under the key. `looked` is the outcome of the look.
pub fn decide(looked: &Result<ObjectMeta, StoreError>, bytes: u64, sha256: &str) -> Verdict {
    match looked {
        Ok(there) if there.bytes == bytes && there.sha256.as_deref() == Some(sha256) => Verdict::Stored,
        Ok(there) => {
            let hash = there.sha256.as_deref().unwrap_or("no hash of ours");
            Verdict::Foreign(format!("an object of {} bytes with {hash}, not {bytes} bytes with {sha256}", there.bytes))
        }
        // Not there: the put did not land, whatever its answer was.
        Err(_) => Verdict::Again,
    }
}

/// What it says of the store that an attempt's last request failed so. Refusals count as if it were away: what is refused to
/// one is mostly refused to all, and asking faster does not help.
pub fn tells(kind: ErrorKind) -> Told {
    match kind {
        ErrorKind::Throttled => Told::SlowDown,
        // Answers about this one put and no other.
        ErrorKind::PreconditionFailed
        | ErrorKind::Conflict
        | ErrorKind::NotFound
        | ErrorKind::Archived
        | ErrorKind::Corrupt => Told::Answered,
        _ => Told::Away,
    }
}

/// Whether waiting may help, or somebody has to change something (keys, bucket, rights).
pub fn needs_operator(kind: ErrorKind) -> bool {
    !kind.is_transient() && kind != ErrorKind::PreconditionFailed
}

#[cfg(test)]
mod tests {
    use cauce_lake::Key;
    use cauce_lake::store::ETag;

    use super::*;

    fn there(bytes: u64, sha256: Option<&str>) -> Result<ObjectMeta, StoreError> {
        let key = Key::new("11-22-05/tweets.1.json").expect("valid key");
        Ok(ObjectMeta { key, bytes, etag: ETag("x".into()), sha256: sha256.map(str::to_owned), modified_ms: 0 })
    }

    #[test]
    fn only_the_same_length_and_hash_are_our_object() {
        assert_eq!(decide(&there(7, Some("aa")), 7, "aa"), Verdict::Stored);
        for foreign in [there(8, Some("aa")), there(7, Some("bb")), there(7, None)] {
            assert!(matches!(decide(&foreign, 7, "aa"), Verdict::Foreign(_)), "{foreign:?}");
        }
    }

    #[test]
    fn a_missing_object_is_put_again_and_an_unknown_answer_decides_nothing() {
        for kind in [ErrorKind::NotFound, ErrorKind::Timeout, ErrorKind::AccessDenied] {
            assert_eq!(decide(&Err(StoreError::new(kind, "head", "x")), 7, "aa"), Verdict::Again);
        }
    }

    #[test]
    fn a_lost_answer_asks_for_a_look_and_a_refusal_does_not() {
        for kind in [ErrorKind::PreconditionFailed, ErrorKind::Conflict, ErrorKind::Timeout, ErrorKind::Server] {
            assert!(must_look(&StoreError::new(kind, "put", "x")), "{kind:?}");
        }
        for kind in [ErrorKind::AccessDenied, ErrorKind::Unreachable, ErrorKind::Throttled] {
            assert!(!must_look(&StoreError::new(kind, "put", "x")), "{kind:?}");
        }
    }
}
