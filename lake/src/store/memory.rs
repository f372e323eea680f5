//! A store in memory for tests, with faults on request: it fails, loses answers, ignores conditions, breaks bodies off or
//! holds a call until the test lets it go. It keeps a log of all calls.
//!
//! Without faults it keeps every contract of the trait; the conformance suite says so. It is no store for users.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::{
    Body, Condition, Content, ETag, ErrorKind, Key, List, ListPage, ObjectMeta, Put, ServerTime, Store, StoreError,
    refuse_long,
};

const PAGE: usize = 1000;
const CHUNK_BYTES: usize = 64 * 1024;

/// What kind of call a fault is for, or a log entry is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// [`Store::put`].
    Put,
    /// [`Store::head`].
    Head,
    /// [`Store::get`].
    Get,
    /// [`Store::read`].
    Read,
    /// [`Store::list`]; its key is the prefix.
    List,
    /// [`Store::delete`].
    Delete,
    /// [`Store::clean_up`]; its key is empty.
    CleanUp,
}

/// What goes wrong with a call.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Nothing is done and the call fails so.
    Fail(ErrorKind),
    /// A put or delete is done, and then its answer is lost: [`ErrorKind::Timeout`].
    AnswerLost,
    /// A put is done with one byte changed on the way, and then its answer is lost: [`ErrorKind::Timeout`].
    ByteChanged,
    /// A put is done whether its condition holds or not, as by a server that does not know the header.
    ConditionIgnored,
    /// A body of [`Store::read`] ends with an error after so many bytes.
    BodyBreaksOff(usize),
    /// The call waits at the gate before anything is done.
    Hold(Gate),
}

/// Holds calls until a test lets them go.
#[derive(Debug, Clone)]
pub struct Gate {
    arrived: Arc<Semaphore>,
    open: Arc<Semaphore>,
}

impl Default for Gate {
    fn default() -> Gate {
        Gate::new()
    }
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Gate {
        Gate { arrived: Arc::new(Semaphore::new(0)), open: Arc::new(Semaphore::new(0)) }
    }

    /// Waits until one more call stands at the gate.
    pub async fn arrival(&self) {
        self.arrived.acquire().await.expect("the semaphore is never closed").forget();
    }

    /// Lets one call pass, one that waits or one that is still to come.
    pub fn let_one_pass(&self) {
        self.open.add_permits(1);
    }

    /// Lets every call pass from now on.
    pub fn open(&self) {
        self.open.close();
    }

    async fn pass(&self) {
        self.arrived.add_permits(1);
        if let Ok(permit) = self.open.acquire().await {
            permit.forget();
        }
    }
}

#[derive(Debug, Clone)]
struct Rule {
    call: Call,
    key_prefix: String,
    skip: usize,
    times: usize,
    fault: Fault,
}

#[derive(Debug, Clone)]
struct Object {
    content: Bytes,
    sha256: Option<String>,
    modified_ms: i64,
}

impl Object {
    fn tag(&self) -> ETag {
        ETag(format!("{:x?}", Sha256::digest(&self.content).as_slice()))
    }

    fn meta(&self, key: Key) -> ObjectMeta {
        let bytes = self.content.len() as u64;
        ObjectMeta { key, bytes, etag: self.tag(), sha256: self.sha256.clone(), modified_ms: self.modified_ms }
    }
}

#[derive(Debug, Default)]
struct Inner {
    objects: BTreeMap<Key, Object>,
    rules: Vec<Rule>,
    calls: Vec<(Call, String)>,
    /// How far its clock is ahead of this machine's; `None` when it reports no time.
    ahead_ms: Option<i64>,
}

/// A store in memory. Clones share their objects, faults and log.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    inner: Arc<Mutex<Inner>>,
}

impl MemoryStore {
    /// An empty store without faults.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    /// From the call after `skip` more of this kind on keys with this prefix, the next `times` meet the fault
    /// (`usize::MAX`: all of them). Where several faults fit, the one given first is taken.
    pub fn inject(&self, call: Call, key_prefix: &str, skip: usize, times: usize, fault: Fault) {
        self.lock().rules.push(Rule { call, key_prefix: key_prefix.to_owned(), skip, times, fault });
    }

    /// The next call of this kind on a key with this prefix meets the fault.
    pub fn inject_once(&self, call: Call, key_prefix: &str, fault: Fault) {
        self.inject(call, key_prefix, 0, 1, fault);
    }

    /// Calls of this kind on keys with this prefix wait at the returned gate.
    pub fn hold(&self, call: Call, key_prefix: &str) -> Gate {
        let gate = Gate::new();
        self.inject(call, key_prefix, 0, usize::MAX, Fault::Hold(gate.clone()));
        gate
    }

    /// Takes all faults away. Calls that wait at a gate go on waiting for it.
    pub fn heal(&self) {
        self.lock().rules.clear();
    }

    /// From now on the store reports a time so many milliseconds ahead of this machine's clock.
    pub fn set_clock(&self, ahead_ms: i64) {
        self.lock().ahead_ms = Some(ahead_ms);
    }

    /// Every call so far, in order, with its key or prefix.
    pub fn calls(&self) -> Vec<(Call, String)> {
        self.lock().calls.clone()
    }

    /// How many calls of a kind there were on keys with this prefix.
    pub fn count(&self, call: Call, key_prefix: &str) -> usize {
        self.lock().calls.iter().filter(|(c, key)| *c == call && key.starts_with(key_prefix)).count()
    }

    /// The keys that are there, ordered.
    pub fn keys(&self) -> Vec<String> {
        self.lock().objects.keys().map(ToString::to_string).collect()
    }

    /// The content under a key, past all faults and without an entry in the log.
    pub fn content(&self, key: &str) -> Option<Bytes> {
        let key = Key::new(key).ok()?;
        self.lock().objects.get(&key).map(|object| object.content.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no test panics while it holds the lock")
    }

    /// Notes a call, waits at its gate or fails as a fault says, and returns a fault that is for the call itself.
    async fn enter(&self, call: Call, key: &str) -> Result<Option<Fault>, StoreError> {
        let fault = self.lock().enter(call, key);
        match fault {
            Some(Fault::Fail(kind)) => Err(error(kind, call, key, "an injected fault")),
            Some(Fault::Hold(gate)) => {
                gate.pass().await;
                Ok(None)
            }
            other => Ok(other),
        }
    }
}

impl Inner {
    fn enter(&mut self, call: Call, key: &str) -> Option<Fault> {
        self.calls.push((call, key.to_owned()));
        let mut found = None;
        for rule in &mut self.rules {
            if rule.call != call || !key.starts_with(&rule.key_prefix) || rule.times == 0 {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
            } else if found.is_none() {
                rule.times -= usize::from(rule.times != usize::MAX);
                found = Some(rule.fault.clone());
            }
        }
        found
    }

    fn get(&self, call: Call, key: &Key) -> Result<&Object, StoreError> {
        self.objects.get(key).ok_or_else(|| error(ErrorKind::NotFound, call, key.as_str(), "there is no such object"))
    }

    fn holds(&self, put: &Put) -> bool {
        match &put.condition {
            Condition::Always => true,
            Condition::IfAbsent => !self.objects.contains_key(&put.key),
            Condition::IfMatch(tag) => self.objects.get(&put.key).is_some_and(|object| object.tag() == *tag),
        }
    }

    fn list(&self, list: &List) -> ListPage {
        let mut page = ListPage::default();
        let mut last = String::new();
        for (key, object) in &self.objects {
            let name = key.as_str();
            let Some(rest) = name.strip_prefix(list.prefix.as_str()) else { continue };
            let folder = rest.find('/').filter(|_| list.folders).map(|end| &name[..=list.prefix.len() + end]);
            let named = folder.unwrap_or(name);
            if list.after.as_deref().is_some_and(|after| named <= after) || (folder.is_some() && named == last) {
                continue;
            }
            if page.objects.len() + page.folders.len() == PAGE {
                page.next = Some(last);
                return page;
            }
            last = named.to_owned();
            match folder {
                Some(folder) => page.folders.push(folder.to_owned()),
                None => page.objects.push(ObjectMeta { sha256: None, ..object.meta(key.clone()) }),
            }
        }
        page
    }
}

fn error(kind: ErrorKind, call: Call, key: &str, detail: impl Into<String>) -> StoreError {
    let verb = match call {
        Call::Put => "put",
        Call::Head => "look at",
        Call::Get | Call::Read => "read",
        Call::List => "list",
        Call::Delete => "delete",
        Call::CleanUp => "clean up",
    };
    StoreError::new(kind, format!("{verb} memory:{key}"), detail)
}

/// The bytes of a body.
async fn content(put: &Put) -> Result<Bytes, StoreError> {
    match &put.body {
        Body::Bytes(bytes) => Ok(bytes.clone()),
        Body::File { path, bytes, .. } => {
            let io = |e: std::io::Error| {
                StoreError::new(ErrorKind::Io, format!("read {} to put it", path.display()), e.to_string())
            };
            let content = Bytes::from(tokio::fs::read(path).await.map_err(io)?);
            let wanted = usize::try_from(*bytes).unwrap_or(usize::MAX);
            if content.len() < wanted {
                let detail = "its file is shorter than was said";
                return Err(error(ErrorKind::Corrupt, Call::Put, put.key.as_str(), detail));
            }
            Ok(content.slice(..wanted))
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn location(&self) -> String {
        "memory:".to_owned()
    }

    async fn put(&self, put: Put) -> Result<ETag, StoreError> {
        let key = put.key.as_str();
        let fault = self.enter(Call::Put, key).await?;
        let mut content = content(&put).await?;
        if matches!(fault, Some(Fault::ByteChanged)) {
            let mut changed = content.to_vec();
            changed[0] ^= 1;
            content = changed.into();
        }
        let mut inner = self.lock();
        if !inner.holds(&put) && !matches!(fault, Some(Fault::ConditionIgnored)) {
            return Err(error(ErrorKind::PreconditionFailed, Call::Put, key, "the condition does not hold"));
        }
        let modified_ms = jiff::Timestamp::now().as_millisecond();
        let object = Object { content, sha256: put.sha256.clone(), modified_ms };
        let tag = object.tag();
        inner.objects.insert(put.key.clone(), object);
        if matches!(fault, Some(Fault::AnswerLost | Fault::ByteChanged)) {
            return Err(error(ErrorKind::Timeout, Call::Put, key, "the answer was lost"));
        }
        Ok(tag)
    }

    async fn confirm(&self, put: &Put) -> Result<(), StoreError> {
        let content = content(put).await?;
        if self.lock().get(Call::Head, &put.key)?.content == content {
            return Ok(());
        }
        Err(error(ErrorKind::Corrupt, Call::Head, put.key.as_str(), "other bytes are stored"))
    }

    async fn head(&self, key: &Key) -> Result<ObjectMeta, StoreError> {
        self.enter(Call::Head, key.as_str()).await?;
        self.lock().get(Call::Head, key).map(|object| object.meta(key.clone()))
    }

    async fn get(&self, key: &Key) -> Result<(Bytes, ETag), StoreError> {
        self.enter(Call::Get, key.as_str()).await?;
        let (content, tag) = self.lock().get(Call::Get, key).map(|object| (object.content.clone(), object.tag()))?;
        refuse_long(key, content.len() as u64, || format!("read memory:{key}"))?;
        Ok((content, tag))
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Content, StoreError> {
        let fault = self.enter(Call::Read, key.as_str()).await?;
        let (content, etag) = self.lock().get(Call::Read, key).map(|object| (object.content.clone(), object.tag()))?;
        let bytes = Some(content.len() as u64);
        let range = range.unwrap_or(0..content.len() as u64);
        if range.is_empty() {
            return Ok(Content { etag, bytes, chunks: stream::empty().boxed() });
        }
        if range.end > content.len() as u64 {
            let detail = format!("the object ends after {} bytes, before the end of what was asked for", content.len());
            return Err(error(ErrorKind::Corrupt, Call::Read, key.as_str(), detail));
        }
        let place = |at: u64| usize::try_from(at).expect("inside a content in memory");
        let mut content = content.slice(place(range.start)..place(range.end));
        let mut chunks = Vec::new();
        if let Some(Fault::BodyBreaksOff(after)) = fault {
            content.truncate(after);
        }
        while !content.is_empty() {
            chunks.push(Ok(content.split_to(content.len().min(CHUNK_BYTES))));
        }
        if let Some(Fault::BodyBreaksOff(_)) = fault {
            chunks.push(Err(error(ErrorKind::Timeout, Call::Read, key.as_str(), "the body broke off")));
        }
        Ok(Content { etag, bytes, chunks: stream::iter(chunks).boxed() })
    }

    async fn list(&self, list: &List) -> Result<ListPage, StoreError> {
        self.enter(Call::List, &list.prefix).await?;
        Ok(self.lock().list(list))
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        let fault = self.enter(Call::Delete, key.as_str()).await?;
        self.lock().objects.remove(key);
        if matches!(fault, Some(Fault::AnswerLost)) {
            return Err(error(ErrorKind::Timeout, Call::Delete, key.as_str(), "the answer was lost"));
        }
        Ok(())
    }

    fn server_time(&self) -> Option<ServerTime> {
        let ahead_ms = self.lock().ahead_ms?;
        let at_ms = jiff::Timestamp::now().as_millisecond() + ahead_ms;
        Some(ServerTime { at_ms, received: Instant::now() })
    }

    async fn clean_up(&self, _older_than_ms: i64) -> Result<u64, StoreError> {
        self.enter(Call::CleanUp, "").await?;
        Ok(0)
    }
}

#[cfg(test)]
mod tests;
