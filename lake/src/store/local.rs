//! local
use std::path::PathBuf;
/// local
#[derive(Debug)]
pub struct LocalStore;
impl LocalStore {
    /// new
    pub fn new(_root: PathBuf) -> LocalStore {
        LocalStore
    }
}

#[async_trait::async_trait]
impl super::Store for LocalStore {
    fn location(&self) -> String {
        todo!()
    }
    async fn put(&self, _put: super::Put) -> Result<super::ETag, super::StoreError> {
        todo!()
    }
    async fn head(&self, _key: &super::Key) -> Result<super::ObjectMeta, super::StoreError> {
        todo!()
    }
    async fn get(&self, _key: &super::Key) -> Result<(bytes::Bytes, super::ETag), super::StoreError> {
        todo!()
    }
    async fn read(
        &self,
        _key: &super::Key,
        _range: Option<std::ops::Range<u64>>,
    ) -> Result<super::ByteStream, super::StoreError> {
        todo!()
    }
    async fn list(&self, _list: &super::List) -> Result<super::ListPage, super::StoreError> {
        todo!()
    }
    async fn delete(&self, _key: &super::Key) -> Result<(), super::StoreError> {
        todo!()
    }
    async fn clean_up(&self, _older_than_ms: i64) -> Result<u64, super::StoreError> {
        todo!()
    }
}
