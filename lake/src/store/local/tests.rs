//! A local folder keeps the contracts, on the disk too.

use std::sync::Arc;

use tempfile::TempDir;

use super::*;

async fn open(_check: &str) -> Option<(Arc<dyn Store>, TempDir)> {
    let folder = TempDir::new().expect("a temporary folder");
    Some((Arc::new(LocalStore::new(folder.path().join("new/lake"))), folder))
}

crate::store_conformance!(open);
