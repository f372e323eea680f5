//! The store in memory keeps the contracts, and breaks them on request.

use std::sync::Arc;

use super::*;

async fn open(_check: &str) -> Option<(Arc<dyn Store>, ())> {
    Some((Arc::new(MemoryStore::new()), ()))
}

crate::store_conformance!(open);
