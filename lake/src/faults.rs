//! Which failures of an hour are of that hour alone, and which end the work on a range of hours.
//!
//! An object that is missing, damaged, archived or locked says nothing of the others. A bucket that is gone and a server without
//! a connection fail all. Other errors may be either: the first is taken for one of its hour; after a second one in a row, of
//! another hour, the store itself is asked.

use crate::lake::Lake;
use crate::names::HOURS_PREFIX;
use crate::store::{ErrorKind, List, Reach};

/// What is known of the failures so far, of hours in their order.
#[derive(Debug, Default)]
pub struct Faults {
    /// Whether the last hour failed so that it may have been the store.
    doubtful: bool,
}

impl Faults {
    /// An hour was read.
    pub fn passed(&mut self) {
        self.doubtful = false;
    }

    /// Takes in that an hour failed, and says whether this ends the work on all hours: where every request fails, where
    /// credentials are refused for two hours in a row, and where after two doubtful failures in a row one of the lakes cannot be
    /// listed.
    pub async fn end_all(&mut self, reach: Reach, kind: ErrorKind, lakes: &[Lake]) -> bool {
        let second = std::mem::replace(&mut self.doubtful, reach == Reach::Unknown);
        match reach {
            Reach::Object => false,
            Reach::Store => true,
            Reach::Unknown if !second => false,
            Reach::Unknown if kind == ErrorKind::Credentials => true,
            Reach::Unknown => {
                for lake in lakes {
                    let manifests = List { prefix: HOURS_PREFIX.to_owned(), ..List::default() };
                    if lake.store().list(&manifests).await.is_err() {
                        return true;
                    }
                }
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::catalogue::fixture::pattern;
    use crate::pattern::Escapes;
    use crate::store::memory::{Call, Fault, MemoryStore};

    fn lake() -> (Arc<MemoryStore>, Lake) {
        let store = Arc::new(MemoryStore::new());
        (Arc::clone(&store), Lake::new(store, pattern("%m-%d-%h", Escapes::Cauce)))
    }

    async fn ends(faults: &mut Faults, kind: ErrorKind, lake: &Lake) -> bool {
        faults.end_all(kind.reach(), kind, std::slice::from_ref(lake)).await
    }

    #[tokio::test]
    async fn credentials_that_are_refused_for_two_hours_in_a_row_end_all() {
        let (_, lake) = lake();
        let mut faults = Faults::default();
        assert!(!ends(&mut faults, ErrorKind::Credentials, &lake).await);
        faults.passed();
        assert!(!ends(&mut faults, ErrorKind::Credentials, &lake).await);
        assert!(!ends(&mut faults, ErrorKind::AccessDenied, &lake).await);
        assert!(!ends(&mut faults, ErrorKind::Credentials, &lake).await);
        assert!(ends(&mut faults, ErrorKind::Credentials, &lake).await);
    }

    #[tokio::test]
    async fn any_number_of_objects_may_be_locked_or_archived_and_a_bucket_that_is_gone_ends_all_at_once() {
        let (_, lake) = lake();
        let mut faults = Faults::default();
        for kind in [ErrorKind::AccessDenied, ErrorKind::Archived, ErrorKind::Corrupt, ErrorKind::NotFound] {
            assert!(!ends(&mut faults, kind, &lake).await && !ends(&mut faults, kind, &lake).await, "{kind:?}");
        }
        for kind in [ErrorKind::NoSuchBucket, ErrorKind::Unreachable] {
            assert!(ends(&mut Faults::default(), kind, &lake).await, "{kind:?}");
        }
    }

    #[tokio::test]
    async fn a_store_that_still_lists_its_hours_has_not_failed() {
        let (store, lake) = lake();
        for kind in [ErrorKind::Server, ErrorKind::Timeout, ErrorKind::Configuration] {
            let mut faults = Faults::default();
            assert!(!ends(&mut faults, kind, &lake).await && !ends(&mut faults, kind, &lake).await, "{kind:?}");
            store.inject_once(Call::List, HOURS_PREFIX, Fault::Fail(kind));
            assert!(ends(&mut faults, kind, &lake).await, "{kind:?}");
        }
    }
}
