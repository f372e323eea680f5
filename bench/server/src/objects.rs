//! The folder in memory: keys in order, each object with its bytes and what every answer about it begins with.
//!
//! Built once at the start and never changed, so connections share it without a lock.

use std::fmt::Write as _;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::Path;

/// All objects are of this moment: no client under test looks at it.
pub(crate) const HTTP_DATE: &str = "Sun, 31 Oct 2021 00:00:00 GMT";
const XML_DATE: &str = "2021-10-31T00:00:00.000Z";

/// One object.
#[derive(Debug)]
pub(crate) struct Object {
    /// Its key; only bytes that need no escape in a URL or in XML.
    pub(crate) key: String,
    /// Its bytes.
    pub(crate) body: Vec<u8>,
    /// The head of an answer with all of it, up to and with the empty line.
    pub(crate) head: Vec<u8>,
    /// The fields of an answer that do not depend on the range.
    pub(crate) fields: String,
    /// Its element in a listing.
    pub(crate) xml: String,
}

/// All objects, by key.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    sorted: Vec<Object>,
}

impl Objects {
    /// Reads every file below a folder.
    ///
    /// # Errors
    /// When a file does not read, or its name holds a byte that would have to be escaped.
    pub(crate) fn load(folder: &Path) -> io::Result<Objects> {
        let mut sorted = Vec::new();
        collect(folder, "", &mut sorted)?;
        Ok(Objects::new(sorted))
    }

    /// Objects given one by one.
    pub(crate) fn new(files: Vec<(String, Vec<u8>)>) -> Objects {
        let mut sorted: Vec<Object> = files.into_iter().map(|(key, body)| Object::new(key, body)).collect();
        sorted.sort_by(|a, b| a.key.cmp(&b.key));
        Objects { sorted }
    }

    /// The object of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Object> {
        self.sorted.binary_search_by(|object| object.key.as_str().cmp(key)).ok().map(|at| &self.sorted[at])
    }

    /// The objects from a place on.
    pub(crate) fn from(&self, at: usize) -> &[Object] {
        self.sorted.get(at..).unwrap_or_default()
    }

    /// The place of the first key that is not before this one.
    pub(crate) fn place(&self, key: &str) -> usize {
        self.sorted.partition_point(|object| object.key.as_str() < key)
    }

    /// The place after all keys that are before the prefix or begin with it.
    pub(crate) fn place_after_prefix(&self, prefix: &str) -> usize {
        self.sorted.partition_point(|object| object.key.as_str() < prefix || object.key.starts_with(prefix))
    }
}

impl Object {
    fn new(key: String, body: Vec<u8>) -> Object {
        let mut hasher = DefaultHasher::new();
        (&key, &body).hash(&mut hasher);
        // Looks like the MD5 that S3 gives for a small object; no client can hold it against the bytes without a checksum asked for.
        let etag = format!("{0:016x}{0:016x}", hasher.finish());
        let mut fields = String::new();
        let _ = write!(
            fields,
            "Accept-Ranges: bytes\r\nContent-Type: application/octet-stream\r\nETag: \"{etag}\"\r\nLast-Modified: {HTTP_DATE}\r\n"
        );
        let head = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
        let xml = format!(
            "<Contents><Key>{key}</Key><LastModified>{XML_DATE}</LastModified><ETag>&quot;{etag}&quot;</ETag>\
             <Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>",
            body.len()
        );
        Object { key, body, head, fields, xml }
    }
}

fn collect(folder: &Path, prefix: &str, into: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().into_string().map_err(|name| io::Error::other(format!("{name:?} is no UTF-8")))?;
        if let Some(odd) = name.bytes().find(|byte| !byte.is_ascii_alphanumeric() && !b"._-=".contains(byte)) {
            return Err(io::Error::other(format!(
                "the name {name} holds {:?}, which would need an escape",
                char::from(odd)
            )));
        }
        let key = format!("{prefix}{name}");
        if fs::metadata(entry.path())?.is_dir() {
            collect(&entry.path(), &format!("{key}/"), into)?;
        } else {
            into.push((key, fs::read(entry.path())?));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_folders_become_keys_in_order() {
        let keys = |objects: &Objects| objects.from(0).iter().map(|object| object.key.clone()).collect::<Vec<_>>();
        let objects = Objects::new(vec![("b/2".into(), vec![1]), ("a".into(), vec![]), ("b/1".into(), vec![2])]);
        assert_eq!(keys(&objects), ["a", "b/1", "b/2"]);
        assert_eq!(objects.get("b/1").map(|object| object.body.as_slice()), Some(&[2u8][..]));
        assert!(objects.get("b").is_none());
        assert_eq!((objects.place("b"), objects.place_after_prefix("b/")), (1, 3));
    }
}
