//! `cauce.Store`: the objects under a URL, for tasks that read and write files of their own beside a lake. It is the client that
//! reads the lake, so credentials, endpoints and errors are the same.
//!
//! As [`crate::lake::Lake`] it holds settings and nothing else: it crosses forks, and a pickle carries no keys.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use cauce_lake::setting::Caller;
use cauce_lake::store::{Body, Condition, ETag, ErrorKind, ObjectMeta, Put, list_all};
use cauce_lake::{Key, Store as LakeStore, StoreError};
use futures_util::TryStreamExt;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDateTime, PyDict, PyTuple};
use sha2::{Digest, Sha256};

use crate::errors;
use crate::lake::url_text;
use crate::options::{self, Keywords, LakeOptions};
use crate::process::{self, Process};
use crate::settings::{Given, Settings};
use crate::when;

/// A folder, or a bucket and prefix.
#[pyclass(frozen, module = "cauce")]
pub(crate) struct Store {
    settings: Arc<Settings>,
}

/// What a store says of one object.
#[pyclass(frozen, module = "cauce")]
pub(crate) struct StoredObject {
    meta: ObjectMeta,
}

#[pymethods]
impl Store {
    #[new]
    #[pyo3(signature = (url, *, options=None, **settings))]
    fn new(
        py: Python<'_>,
        url: &Bound<'_, PyAny>,
        options: Option<&LakeOptions>,
        settings: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Store> {
        let keywords = Keywords { call: "cauce.Store()", of_the_lake: false };
        let options = keywords.read(py, Caller::Python, options, settings)?;
        let given = Given { urls: vec![url_text(url)?], options, concurrency: None, memory_bytes: None, timeout: None };
        let settings = given.settle().map_err(|message| errors::config(py, &message))?;
        Ok(Store { settings: Arc::new(settings) })
    }

    /// Everything but keys.
    fn __getnewargs_ex__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
        options::arguments(py, self.url(), &self.settings.options)
    }

    #[getter]
    fn url(&self) -> String {
        self.settings.urls[0].to_string()
    }

    #[pyo3(signature = (prefix=""))]
    fn list(&self, py: Python<'_>, prefix: &str) -> PyResult<Vec<StoredObject>> {
        let prefix = prefix.to_owned();
        let listed = self.ask(py, move |store| async move { list_all(&*store, &prefix).await })?;
        Ok(listed.into_iter().map(|meta| StoredObject { meta }).collect())
    }

    fn head(&self, py: Python<'_>, key: &str) -> PyResult<StoredObject> {
        let asked = self.key(key)?;
        self.ask_of(py, key, move |store| async move { store.head(&asked).await }).map(|meta| StoredObject { meta })
    }

    fn exists(&self, py: Python<'_>, key: &str) -> PyResult<bool> {
        let key = self.key(key)?;
        self.ask(py, move |store| async move {
            match version(&*store, &key).await {
                Ok(_) => Ok(true),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
                Err(error) => Err(error),
            }
        })
    }

    /// The content, or `length` bytes of it from `offset` on; fewer where the object ends before.
    #[pyo3(signature = (key, offset=0, length=None))]
    fn read<'py>(&self, py: Python<'py>, key: &str, offset: u64, length: Option<u64>) -> PyResult<Bound<'py, PyBytes>> {
        let asked = self.key(key)?;
        let bytes = self.ask_of(py, key, move |store| async move {
            if offset == 0 && length.is_none() {
                return read(&*store, &asked, None).await;
            }
            let (end, _) = version(&*store, &asked).await?;
            let first = offset.min(end);
            let range = first..length.map_or(end, |length| first.saturating_add(length).min(end));
            read(&*store, &asked, Some(range)).await
        })?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn open<'py>(slf: &Bound<'py, Store>, key: &str) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let (bytes, etag) = slf.get()._version(py, key)?;
        py.import("cauce._file")?.getattr("open_object")?.call1((slf, key, bytes, etag))
    }

    /// Bytes of an object whose length and tag are known: one request. For [`cauce._file.StoreFile`].
    fn _read_range<'py>(
        &self,
        py: Python<'py>,
        key: &str,
        etag: &str,
        offset: u64,
        length: u64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let asked = self.key(key)?;
        let (range, etag) = (offset..offset.saturating_add(length), ETag(etag.to_owned()));
        let (bytes, found) = self.ask_of(py, key, move |store| async move {
            let content = store.read(&asked, Some(range)).await?;
            let found = content.etag.clone();
            Ok((collect(content.chunks).await?, found))
        })?;
        if found != etag {
            let message = format!("{} was replaced while it was read: open it again", self.url_of(key));
            return Err(errors::object(py, ErrorKind::Corrupt, &message, key));
        }
        Ok(PyBytes::new(py, &bytes))
    }

    /// The length and tag of an object, as [`Store::_read_range`] compares it.
    fn _version(&self, py: Python<'_>, key: &str) -> PyResult<(u64, String)> {
        let asked = self.key(key)?;
        self.ask_of(py, key, move |store| async move { version(&*store, &asked).await })
    }

    #[pyo3(signature = (key, data, *, if_absent=false, if_match=None))]
    fn put(
        &self,
        py: Python<'_>,
        key: &str,
        data: &Bound<'_, PyAny>,
        if_absent: bool,
        if_match: Option<String>,
    ) -> PyResult<String> {
        let condition = match (if_absent, if_match) {
            (false, None) => Condition::Always,
            (true, None) => Condition::IfAbsent,
            (false, Some(tag)) => Condition::IfMatch(ETag(tag)),
            (true, Some(_)) => return Err(PyValueError::new_err("if_absent and if_match exclude each other")),
        };
        let (body, sha256) = body(py, data)?;
        let put = Put { key: self.key(key)?, body, condition, sha256: Some(sha256) };
        self.ask_of(py, key, move |store| async move { store.put(put).await }).map(|tag| tag.0)
    }

    fn delete(&self, py: Python<'_>, key: &str) -> PyResult<()> {
        let key = self.key(key)?;
        self.ask(py, move |store| async move { store.delete(&key).await })
    }

    fn __repr__(&self) -> String {
        format!("cauce.Store({:?})", self.url())
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Store>().is_ok_and(|other| self.settings.same_lake(&other.get().settings))
    }

    fn __hash__(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        self.url().hash(&mut hasher);
        hasher.finish()
    }
}

impl Store {
    fn key(&self, text: &str) -> PyResult<Key> {
        Key::new(text).map_err(|error| PyValueError::new_err(format!("{text:?} is no key: {error}")))
    }

    fn url_of(&self, key: &str) -> String {
        format!("{}/{key}", self.url())
    }

    fn ask<T, F>(&self, py: Python<'_>, work: impl FnOnce(Arc<dyn LakeStore>) -> F) -> PyResult<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        self.run(py, work)?.map_err(|error| errors::store(py, &error))
    }

    /// As [`Store::ask`], for one object, which the error then names.
    fn ask_of<T, F>(&self, py: Python<'_>, key: &str, work: impl FnOnce(Arc<dyn LakeStore>) -> F) -> PyResult<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        self.run(py, work)?.map_err(|error| errors::object(py, error.kind(), &error.to_string(), key))
    }

    fn run<T, F>(&self, py: Python<'_>, work: impl FnOnce(Arc<dyn LakeStore>) -> F) -> PyResult<Result<T, StoreError>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let process: &'static Process = process::current(py)?;
        let lakes = process.clients(py, &self.settings)?;
        let store = Arc::clone(lakes.lakes()[0].store());
        process.wait(py, work(store))
    }
}

/// The length and tag of an object, by one HEAD; `head` would read a local file for its hash.
async fn version(store: &dyn LakeStore, key: &Key) -> Result<(u64, String), StoreError> {
    let content = store.read(key, Some(0..0)).await?;
    let bytes = match content.bytes {
        Some(bytes) => bytes,
        None => store.head(key).await?.bytes,
    };
    Ok((bytes, content.etag.0))
}

async fn read(store: &dyn LakeStore, key: &Key, range: Option<Range<u64>>) -> Result<Bytes, StoreError> {
    collect(store.read(key, range).await?.chunks).await
}

async fn collect(mut chunks: cauce_lake::store::ByteStream) -> Result<Bytes, StoreError> {
    let mut all = BytesMut::new();
    while let Some(chunk) = chunks.try_next().await? {
        if all.is_empty() {
            // Most bodies are one chunk, which is then not copied.
            match chunk.try_into_mut() {
                Ok(whole) => all = whole,
                Err(shared) => all.extend_from_slice(&shared),
            }
        } else {
            all.extend_from_slice(&chunk);
        }
    }
    Ok(all.freeze())
}

/// A body and its SHA-256: of a path's file, or of anything with the buffer protocol.
fn body(py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<(Body, String)> {
    if data.hasattr("__fspath__")? {
        let path: PathBuf = data.extract()?;
        let opened = path.clone();
        let (bytes, digest) = py.detach(move || -> std::io::Result<_> {
            let mut file = std::fs::File::open(opened)?;
            let mut hasher = HashWriter(Sha256::new());
            let bytes = std::io::copy(&mut file, &mut hasher)?;
            Ok((bytes, hasher.0.finalize()))
        })?;
        return Ok((Body::File { path, bytes, crc64: None }, hex::encode(digest)));
    }
    let bytes = Bytes::from(PyBuffer::<u8>::get(data)?.to_vec(py)?);
    let digest = hex::encode(py.detach(|| Sha256::digest(&bytes)));
    Ok((Body::Bytes(bytes), digest))
}

struct HashWriter(Sha256);

impl std::io::Write for HashWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[pymethods]
impl StoredObject {
    #[getter]
    fn key(&self) -> &str {
        self.meta.key.as_str()
    }

    #[getter]
    fn bytes(&self) -> u64 {
        self.meta.bytes
    }

    #[getter]
    fn etag(&self) -> &str {
        &self.meta.etag.0
    }

    #[getter]
    fn modified<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDateTime>> {
        when::datetime(py, self.meta.modified_ms)
    }

    fn __repr__(&self) -> String {
        format!("<cauce.StoredObject {}: {} bytes>", self.key(), self.bytes())
    }
}
