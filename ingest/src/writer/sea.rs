//! The store of a world: one in memory, on which some puts arrive late or lose their answers.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use cauce_lake::store::memory::MemoryStore;
use cauce_lake::store::{Body, Content, ETag, ErrorKind, List, ListPage, ObjectMeta, Put};
use cauce_lake::{Key, Store, StoreError};

use crate::spool::sim_disk::SimDisk;

/// What happens to the next put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is done, and its answer is lost.
    AnswerLost,
    /// It is on its way for long, and taken for lost meanwhile.
    OnItsWay,
}

/// The store: one in memory, on which some puts arrive late.
#[derive(Debug, Default)]
pub(super) struct Sea {
    pub(super) memory: MemoryStore,
    pub(super) disks: Mutex<BTreeMap<PathBuf, SimDiskOf>>,
    pub(super) on_their_way: Mutex<Vec<Put>>,
    pub(super) fault: Mutex<Option<Fault>>,
}

/// A disk that can be shown.
#[derive(Clone)]
pub(super) struct SimDiskOf(pub(super) SimDisk);

impl std::fmt::Debug for SimDiskOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("disk")
    }
}

impl Sea {
    /// The put with its bytes: a file may be gone when it lands.
    fn loaded(&self, mut put: Put) -> Put {
        if let Body::File { path, .. } = &put.body {
            let dir = path.components().next().expect("a path has a part");
            let disks = self.disks.lock().expect("no panic");
            let disk = &disks[&PathBuf::from(dir.as_os_str())];
            let name = path.strip_prefix(dir.as_os_str()).expect("it begins so").to_str().expect("text");
            put.body = Body::Bytes(Bytes::from(disk.0.bytes(name).unwrap_or_else(|| panic!("{name} is gone"))));
        }
        put
    }
}

#[async_trait]
impl Store for Sea {
    fn location(&self) -> String {
        self.memory.location()
    }

    async fn put(&self, put: Put) -> Result<ETag, StoreError> {
        let put = self.loaded(put);
        let lost = StoreError::new(ErrorKind::Timeout, "put", "no answer");
        let fault = self.fault.lock().expect("no panic").take();
        match fault {
            None => {}
            Some(Fault::OnItsWay) => {
                self.on_their_way.lock().expect("no panic").push(put);
                return Err(lost);
            }
            Some(Fault::AnswerLost) => {
                // A refusal may be lost like any other answer.
                let _ = self.memory.put(put).await;
                return Err(lost);
            }
        }
        self.memory.put(put).await
    }

    async fn head(&self, key: &Key) -> Result<ObjectMeta, StoreError> {
        self.memory.head(key).await
    }

    async fn get(&self, key: &Key) -> Result<(Bytes, ETag), StoreError> {
        self.memory.get(key).await
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Content, StoreError> {
        self.memory.read(key, range).await
    }

    async fn list(&self, list: &List) -> Result<ListPage, StoreError> {
        self.memory.list(list).await
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.memory.delete(key).await
    }

    async fn clean_up(&self, older_than_ms: i64) -> Result<u64, StoreError> {
        self.memory.clean_up(older_than_ms).await
    }
}
