//! Holding a closed hour against its manifests: every object is there and what it is said to be, the sums agree, each line is
//! a tweet, no id comes twice, and nothing lies in the hour's folder that no manifest lists.
//!
//! Reads everything once, several objects at a time, and keeps eight bytes a tweet. It repairs nothing. What a manifest says
//! by itself is held against itself in `sums`, which is pure.

mod strays;
mod sums;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio_util::task::AbortOnDropHandle;

use crate::catalogue::{self, CatalogueError};
use crate::hour::Hour;
use crate::lake::Lake;
use crate::manifest::{Manifest, ObjectEntry};
use crate::read::{Mismatch, ReadError, verify_lines};
use crate::store::{ErrorKind, Key, Store};
use crate::tweet::{LineKind, scan};

/// Objects read at once: enough to keep two cores and a fast network busy, few enough for a small memory.
const CONCURRENCY: usize = 4;

/// Why an hour could not be held against its manifests at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The hour is not there, its manifest cannot be trusted, or the store failed.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The store failed while an object was read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl VerifyError {
    /// What it means.
    pub fn kind(&self) -> ErrorKind {
        match self {
            VerifyError::Catalogue(error) => error.kind(),
            VerifyError::Read(error) => error.kind(),
        }
    }
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// An object differs from its manifest's entry.
    Object {
        /// The object.
        key: Key,
        /// In what.
        mismatch: Mismatch,
    },
    /// A manifest's number of tweets is not the sum of its objects' lines.
    Tweets {
        /// The manifest.
        manifest: Key,
        /// What it says.
        said: u64,
        /// What its objects' entries add up to.
        sum: u64,
    },
    /// An entry's arrivals do not rise, or do not end at its last line.
    Arrivals {
        /// The object.
        key: Key,
        /// What is wrong, in words.
        detail: String,
    },
    /// One object is listed twice.
    ListedTwice {
        /// The object.
        key: Key,
    },
    /// Lines of an object of tweets that are no tweets, or of messages that are none.
    ForeignLines {
        /// The object.
        key: Key,
        /// How many.
        lines: u64,
        /// Decoded bytes of the object before the first of them.
        offset: u64,
    },
    /// Tweets that are stored more than once.
    RepeatedIds {
        /// Tweets too many.
        tweets: u64,
        /// The smallest of their ids.
        example: u64,
    },
    /// An object of this hour that no manifest lists: no reader sees it. An agent that lost its lease may have left it; one
    /// under `late/` may still be listed by a running agent.
    Stray {
        /// The object.
        key: Key,
        /// Its length.
        bytes: u64,
    },
    /// A late manifest that cannot be trusted.
    LateManifest {
        /// What is wrong with it; the text names it.
        detail: String,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Object { key, mismatch } => write!(f, "{key}: {mismatch}"),
            Problem::Tweets { manifest, said, sum } => {
                write!(f, "{manifest}: it says {said} tweets, its objects add up to {sum}")
            }
            Problem::Arrivals { key, detail } => write!(f, "{key}: its arrivals {detail}"),
            Problem::ListedTwice { key } => write!(f, "{key}: it is listed twice"),
            Problem::ForeignLines { key, lines, offset } => {
                let lines = if *lines == 1 { "1 line is".to_owned() } else { format!("{lines} lines are") };
                write!(f, "{key}: {lines} not what the object holds, the first at byte {offset}")
            }
            Problem::RepeatedIds { tweets, example } => {
                write!(f, "{tweets} tweets are stored more than once, such as {example}")
            }
            Problem::Stray { key, bytes } => write!(f, "{key}: no manifest lists it ({bytes} bytes)"),
            Problem::LateManifest { detail } => f.write_str(detail),
        }
    }
}

/// What was found of an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    /// The hour.
    pub hour: Hour,
    /// What is not as it should be; empty when all is well.
    pub problems: Vec<Problem>,
    /// Objects read.
    pub objects: u64,
    /// Lines read.
    pub lines: u64,
    /// Stored bytes read.
    pub bytes: u64,
}

impl VerifyReport {
    /// Whether all is well.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Holds an hour against its manifests. `None` for an hour that is open: there is nothing to hold it against.
///
/// # Errors
/// When there is no such hour, its manifest cannot be trusted, or the store fails.
pub async fn verify_hour(lake: &Lake, hour: Hour) -> Result<Option<VerifyReport>, VerifyError> {
    let mut report = VerifyReport { hour, problems: Vec::new(), objects: 0, lines: 0, bytes: 0 };
    let mut manifests: Vec<(Key, Manifest)> = Vec::new();
    let mut is_closed = false;
    for (name, manifest) in catalogue::manifests_of(lake.store(), hour).await.map_err(CatalogueError::from)? {
        match (name.late, manifest) {
            (_, Ok(manifest)) => manifests.push((name.key(), manifest)),
            (None, Err(error)) => return Err(CatalogueError::from(error).into()),
            (Some(_), Err(error)) => report.problems.push(Problem::LateManifest { detail: error.to_string() }),
        }
        is_closed |= name.late.is_none();
    }
    if !is_closed {
        // An open hour is no error, one of which nothing is there is.
        lake.hour(hour).await?;
        return Ok(None);
    }
    report.problems.extend(sums::check(&manifests));

    let tweets = manifests.iter().flat_map(|(_, manifest)| &manifest.objects).map(|object| (object, Holds::Tweets));
    let messages =
        manifests.iter().flat_map(|(_, manifest)| &manifest.messages).map(|object| (object, Holds::Messages));
    let mut ids = Vec::new();
    let mut reads = stream::iter(tweets.chain(messages).map(|(object, holds)| {
        let (store, object) = (Arc::clone(lake.store()), object.clone());
        // A task each, so that hashing and reading lines use every core.
        AbortOnDropHandle::new(tokio::spawn(async move { read(store.as_ref(), &object, holds).await }))
    }))
    .buffered(CONCURRENCY)
    .map(|joined| joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())));
    while let Some(found) = reads.try_next().await? {
        report.objects += 1;
        report.lines += found.lines;
        report.bytes += found.bytes;
        report.problems.extend(found.problems);
        ids.extend(found.ids);
    }
    drop(reads);
    report.problems.extend(repeated(ids));

    let listed: HashSet<&Key> = manifests
        .iter()
        .flat_map(|(_, manifest)| manifest.objects.iter().chain(&manifest.messages))
        .map(|object| &object.key)
        .collect();
    let strays = strays::find(lake, hour, &listed).await.map_err(CatalogueError::from)?;
    report.problems.extend(strays.into_iter().map(|(key, bytes)| Problem::Stray { key, bytes }));
    Ok(Some(report))
}

/// What an object's lines should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Tweets,
    Messages,
}

struct ReadObject {
    lines: u64,
    bytes: u64,
    ids: Vec<u64>,
    problems: Vec<Problem>,
}

async fn read(store: &dyn Store, object: &ObjectEntry, holds: Holds) -> Result<ReadObject, ReadError> {
    let mut ids = Vec::new();
    let (mut foreign, mut first) = (0, 0);
    let check = verify_lines(store, object, |block| {
        for (offset, line) in block.lines_at() {
            match (scan(line), holds) {
                (LineKind::Tweet(head), Holds::Tweets) => ids.push(head.id),
                // Of control messages those are stored that say something about the tweets, such as a disconnect.
                (LineKind::Message(_) | LineKind::Control(_), Holds::Messages) => {}
                _ => {
                    first = if foreign == 0 { offset } else { first };
                    foreign += 1;
                }
            }
        }
    })
    .await?;
    let key = &check.key;
    let differs = check.mismatches.into_iter().map(|mismatch| Problem::Object { key: key.clone(), mismatch });
    let mut problems: Vec<Problem> = differs.collect();
    if foreign > 0 {
        problems.push(Problem::ForeignLines { key: key.clone(), lines: foreign, offset: first });
    }
    Ok(ReadObject { lines: check.lines, bytes: check.bytes, ids, problems })
}

fn repeated(mut ids: Vec<u64>) -> Option<Problem> {
    ids.sort_unstable();
    let mut twice = ids.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
    let example = twice.next()?;
    Some(Problem::RepeatedIds { tweets: 1 + twice.count() as u64, example })
}
