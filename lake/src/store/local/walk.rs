//! Listing a local folder in the order in which a bucket lists: by the bytes of the whole key.
//!
//! A folder sorts as its name and a `/`, which puts `a.b` before `a/b` and `a0` behind it; so a depth-first walk over
//! entries sorted that way yields keys in order, and can stop at a full page. Folders that cannot hold a key of the prefix,
//! or whose keys all lie at or before `after`, are not read.

use std::fs;
use std::io;
use std::path::Path;

use super::{HIDDEN, io_error, is_hidden, modified_ms, quick_tag, regular};
use crate::store::{Key, List, ListPage, ObjectMeta, StoreError};

/// Most names a page has, as in S3.
pub(super) const PAGE: usize = 1000;

/// One entry of a folder, named by its whole key; a folder's ends with `/`.
struct Entry {
    name: String,
    is_folder: bool,
    /// A folder that is reached by a link.
    is_link: bool,
}

impl Entry {
    fn refuse_loop(&self, root: &Path) -> Result<(), StoreError> {
        if self.is_folder && self.is_link { regular::refuse_loop(root, &self.name) } else { Ok(()) }
    }
}

struct Walk<'a> {
    root: &'a Path,
    list: &'a List,
    page: ListPage,
    /// The last name taken, to go on from.
    last: String,
}

pub(super) fn list(root: &Path, list: &List) -> Result<ListPage, StoreError> {
    let mut walk = Walk { root, list, page: ListPage::default(), last: String::new() };
    // The walk starts at the deepest folder that the prefix names in full; one that leaves the root, or
    // goes into the hidden folder, names nothing.
    let start = list.prefix.rfind('/').map_or("", |end| &list.prefix[..=end]);
    if !start.is_empty() && !Key::new(&start[..start.len() - 1]).is_ok_and(|folder| !is_hidden(&folder)) {
        return Ok(walk.page);
    }
    if walk.folder(start)? {
        walk.page.next = Some(walk.last);
    }
    Ok(walk.page)
}

impl Walk<'_> {
    /// Walks one folder (`""` or a name with a `/` at its end). True when the page is full and there may be more.
    fn folder(&mut self, folder: &str) -> Result<bool, StoreError> {
        for entry in entries(self.root, folder)? {
            if !self.may_hold(&entry) {
                continue;
            }
            if entry.is_folder && !self.folds(&entry.name) {
                entry.refuse_loop(self.root)?;
                if self.folder(&entry.name)? {
                    return Ok(true);
                }
                continue;
            }
            if self.page.objects.len() + self.page.folders.len() == PAGE {
                return Ok(true);
            }
            self.take(entry)?;
        }
        Ok(false)
    }

    fn may_hold(&self, entry: &Entry) -> bool {
        let (name, prefix) = (entry.name.as_str(), self.list.prefix.as_str());
        let after = self.list.after.as_deref();
        if entry.is_folder && !self.folds(name) {
            let on_the_way = name.starts_with(prefix) || prefix.starts_with(name);
            return on_the_way && after.is_none_or(|after| after < name || after.starts_with(name));
        }
        name.starts_with(prefix) && after.is_none_or(|after| after < name)
    }

    /// Whether a folder is named as a whole instead of walked.
    fn folds(&self, folder: &str) -> bool {
        self.list.folders && folder.len() > self.list.prefix.len() && folder.starts_with(&self.list.prefix)
    }

    fn take(&mut self, entry: Entry) -> Result<(), StoreError> {
        if entry.is_folder {
            entry.refuse_loop(self.root)?;
            // A bucket has no empty folders; here they stay behind when their last object is deleted.
            if holds_an_object(self.root, &entry.name)? {
                self.last.clone_from(&entry.name);
                self.page.folders.push(entry.name);
            }
            return Ok(());
        }
        let path = self.root.join(&entry.name);
        let meta = match fs::metadata(&path) {
            Ok(meta) => meta,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(io_error("look at", &path, error)),
        };
        // Names no key can have are other people's files.
        let Ok(key) = Key::new(entry.name) else { return Ok(()) };
        self.last = key.as_str().to_owned();
        self.page.objects.push(ObjectMeta {
            key,
            bytes: meta.len(),
            etag: quick_tag(&meta),
            sha256: None,
            modified_ms: modified_ms(&meta),
        });
        Ok(())
    }
}

/// A folder's entries in the order of keys. A folder that is not there has none.
fn entries(root: &Path, folder: &str) -> Result<Vec<Entry>, StoreError> {
    let path = root.join(folder);
    let fail = |error: io::Error| io_error("list", &path, error);
    let listing = match fs::read_dir(&path) {
        Ok(listing) => listing,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(fail(error)),
    };
    let mut entries = Vec::new();
    for entry in listing {
        let entry = entry.map_err(fail)?;
        // A name that is not UTF-8 cannot be a key.
        let Ok(name) = entry.file_name().into_string() else { continue };
        if folder.is_empty() && name == HIDDEN {
            continue;
        }
        let mut kind = entry.file_type().map_err(fail)?;
        let is_link = kind.is_symlink();
        if is_link {
            // A link to nothing is no object.
            let Ok(meta) = fs::metadata(entry.path()) else { continue };
            kind = meta.file_type();
        }
        let name = format!("{folder}{name}");
        if kind.is_dir() && Key::new(name.as_str()).is_ok() {
            entries.push(Entry { name: format!("{name}/"), is_folder: true, is_link });
        } else if !kind.is_dir() {
            // What is no regular file is listed too: passed over in silence, a manifest that is a FIFO would make its hour one that
            // is open. Whoever reads it is told what it is.
            entries.push(Entry { name, is_folder: false, is_link });
        }
    }
    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

fn holds_an_object(root: &Path, folder: &str) -> Result<bool, StoreError> {
    for entry in entries(root, folder)? {
        entry.refuse_loop(root)?;
        let holds = if entry.is_folder { holds_an_object(root, &entry.name)? } else { Key::new(entry.name).is_ok() };
        if holds {
            return Ok(true);
        }
    }
    Ok(false)
}
