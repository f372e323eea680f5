//! Where a conversion writes: the table's root, and beside it the place of the lines that gave no row. Readers take a root for a
//! table only while every file under it is Parquet or empty, so rejects lie outside of it.

use std::path::Path;
use std::sync::Arc;

use super::ConvertError;
use super::layout;
use crate::store::{S3Options, Store, StoreError, open};
use crate::url::LakeUrl;

/// What the root's name is followed by in the name of the rejects' place.
const REJECTS_SUFFIX: &str = "-rejects";

/// Where a conversion writes.
#[derive(Debug, Clone)]
pub struct Target {
    tweets: Arc<dyn Store>,
    rejects: Option<Arc<dyn Store>>,
}

impl Target {
    /// A root of the table, and a place of the rejects; without one, an hour that has rejects fails.
    pub fn new(tweets: Arc<dyn Store>, rejects: Option<Arc<dyn Store>>) -> Target {
        Target { tweets, rejects }
    }

    /// Opens the root, and the place of the rejects: the given one, or else [`rejects_beside`] the root. Both are reached in
    /// the same way. No request is made.
    ///
    /// # Errors
    /// As [`store::open`](open).
    pub async fn open(url: &LakeUrl, rejects: Option<&LakeUrl>, options: &S3Options) -> Result<Target, StoreError> {
        let tweets = open(url, options).await?;
        let rejects = match rejects.cloned().or_else(|| rejects_beside(url)) {
            Some(rejects) => Some(open(&rejects, options).await?),
            None => None,
        };
        Ok(Target { tweets, rejects })
    }

    /// The root of the table.
    pub(super) fn tweets(&self) -> &dyn Store {
        self.tweets.as_ref()
    }

    /// The place of the rejects, where there is one.
    pub(super) fn rejects(&self) -> Option<&dyn Store> {
        self.rejects.as_deref()
    }

    fn stores(&self) -> impl Iterator<Item = &dyn Store> {
        [Some(self.tweets()), self.rejects()].into_iter().flatten()
    }

    /// Refuses a root or a place of rejects that shares its root with a lake or with the other one.
    ///
    /// # Errors
    /// [`ConvertError::SharedRoot`], [`ConvertError::SharedRejects`].
    pub(super) fn refuse_shared_roots<'s>(
        &self,
        lakes: impl Iterator<Item = &'s dyn Store>,
    ) -> Result<(), ConvertError> {
        let tweets = self.tweets.location();
        let rejects = self.rejects().map(Store::location);
        let refused = |rejects: &String, other: &str| ConvertError::SharedRejects {
            rejects: rejects.clone(),
            other: other.to_owned(),
        };
        if let Some(rejects) = rejects.as_ref().filter(|rejects| layout::share_a_root(rejects, &tweets)) {
            return Err(refused(rejects, &tweets));
        }
        for lake in lakes.map(Store::location) {
            if layout::share_a_root(&lake, &tweets) {
                return Err(ConvertError::SharedRoot { lake, target: tweets });
            }
            if let Some(rejects) = rejects.as_ref().filter(|rejects| layout::share_a_root(rejects, &lake)) {
                return Err(refused(rejects, &lake));
            }
        }
        Ok(())
    }

    /// Removes what local folders hold while a conversion runs, as far as no other one uses it.
    pub(super) fn leave(&self) {
        for files in self.stores().filter_map(Store::files) {
            files.leave_workshop();
        }
    }
}

/// The place of the rejects of a table: `pq-rejects` beside `pq`. `None` for the root of a bucket or of a file system, which
/// nothing lies beside.
pub fn rejects_beside(url: &LakeUrl) -> Option<LakeUrl> {
    match url {
        LakeUrl::S3 { prefix, .. } if prefix.is_empty() => None,
        LakeUrl::S3 { bucket, prefix } => {
            Some(LakeUrl::S3 { bucket: bucket.clone(), prefix: format!("{prefix}{REJECTS_SUFFIX}") })
        }
        LakeUrl::Folder(path) => {
            let beside = |path: &Path| {
                let mut name = path.file_name()?.to_owned();
                name.push(REJECTS_SUFFIX);
                Some(path.with_file_name(name))
            };
            // `.` and `..` have no name of their own.
            beside(path).or_else(|| beside(&layout::resolved(path))).map(LakeUrl::Folder)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::local::LocalStore;

    #[test]
    fn rejects_lie_beside_the_table() {
        let beside = |url: &str| rejects_beside(&url.parse().expect("a URL")).map(|url| url.to_string());
        assert_eq!(beside("s3://bucket/tweets-parquet").as_deref(), Some("s3://bucket/tweets-parquet-rejects"));
        assert_eq!(beside("s3://bucket/a/pq/").as_deref(), Some("s3://bucket/a/pq-rejects"));
        assert_eq!(beside("pq").as_deref(), Some("pq-rejects"));
        assert_eq!(beside("./pq/").as_deref(), Some("./pq-rejects"));
        assert_eq!(beside("/srv/pq").as_deref(), Some("/srv/pq-rejects"));
        for root in ["s3://bucket", "s3://bucket/", "/"] {
            assert_eq!(beside(root), None, "{root}");
        }
        let here = std::env::current_dir().expect("a folder").canonicalize().expect("it is there");
        assert_eq!(beside("."), Some(format!("{}-rejects", here.display())));
    }

    #[test]
    fn rejects_never_share_a_root_with_the_table_or_a_lake() {
        let place = tempfile::tempdir().expect("a folder");
        let store = |name: &str| Arc::new(LocalStore::new(place.path().join(name))) as Arc<dyn Store>;
        let refused = |tweets: &str, rejects: &str| {
            let lake = store("lake");
            let target = Target::new(store(tweets), Some(store(rejects)));
            target.refuse_shared_roots(std::iter::once(lake.as_ref())).map_err(|error| error.to_string())
        };
        assert_eq!(refused("pq", "pq-rejects"), Ok(()));
        for (tweets, rejects, shared) in [
            ("pq", "pq/rejects", "/pq "),
            ("pq", "pq", "/pq "),
            ("pq/tweets", "pq", "/pq/tweets "),
            ("pq", "lake/rejects", "/lake "),
        ] {
            let error = refused(tweets, rejects).expect_err("it was taken");
            assert!(error.contains(&format!("{rejects}: ")) && error.contains(shared), "{error}");
            assert!(error.contains("--rejects"), "{error}");
        }
        assert!(refused("lake/pq", "rejects").expect_err("it was taken").contains("share a root"));
    }
}
