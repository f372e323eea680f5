//! What a Parquet file says of its own making, in the key-value metadata of its footer; so a rerun knows that it is done.
//!
//! | key | value |
//! |---|---|
//! | `cauce.source_sha256` | of a closed hour the SHA-256 of its manifest's bytes; of several manifests, of their names and hashes; of an open hour, of its objects' names and lengths |
//! | `cauce.closed` | `true`; `false` where the rows are provisional |
//! | `cauce.options` | what [`ConvertOptions::text`](super::ConvertOptions) says |
//! | `cauce.schema_version` | version of the tweets table |
//! | `cauce.tool_version` | the program and version that made it; another one alone is no reason to make it anew |
//! | `cauce.hour`, `cauce.rows`, `cauce.rejects`, `cauce.duplicates`, `cauce.deleted` | the hour, and what was counted |
//! | `cauce.parts` | of a folder that was split: the number of hours that came of it |

use std::ops::Range;

use ::parquet::DecodeResult;
use ::parquet::file::metadata::{KeyValue, PageIndexPolicy, ParquetMetaDataPushDecoder};
use bytes::Bytes;
use futures_util::TryStreamExt;

use super::ConvertError;
use crate::hour::Hour;
use crate::store::{Key, Store};

/// The end of a file, which holds most footers whole.
const TAIL_BYTES: u64 = 64 * 1024;

/// What decides on a file's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) source_sha256: String,
    pub(super) closed: bool,
    pub(super) options: String,
    pub(super) schema_version: String,
    /// Of a folder that was split: how many hours came of it.
    pub(super) parts: Option<u64>,
}

/// What was counted while a file was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) rows: u64,
    pub(super) rejects: u64,
    pub(super) duplicates: u64,
    pub(super) deleted: u64,
}

impl Stamp {
    /// The entries for the footer.
    pub(super) fn entries(&self, hour: Hour, counted: &Counted) -> Vec<KeyValue> {
        let mut entries = vec![
            ("hour", hour.to_string()),
            ("source_sha256", self.source_sha256.clone()),
            ("closed", self.closed.to_string()),
            ("options", self.options.clone()),
            ("schema_version", self.schema_version.clone()),
            ("tool_version", concat!("cauce ", env!("CARGO_PKG_VERSION")).to_owned()),
            ("rows", counted.rows.to_string()),
            ("rejects", counted.rejects.to_string()),
            ("duplicates", counted.duplicates.to_string()),
            ("deleted", counted.deleted.to_string()),
        ];
        entries.extend(self.parts.map(|parts| ("parts", parts.to_string())));
        entries.into_iter().map(|(name, value)| KeyValue::new(format!("cauce.{name}"), value)).collect()
    }

    /// Reads the entries of a footer; `None` where they are not ours.
    fn read(entries: &[KeyValue]) -> Option<Stamp> {
        let value = |name: &str| {
            let named = entries.iter().find(|entry| entry.key.strip_prefix("cauce.") == Some(name));
            named.and_then(|entry| entry.value.clone())
        };
        Some(Stamp {
            source_sha256: value("source_sha256")?,
            closed: value("closed")? == "true",
            options: value("options")?,
            schema_version: value("schema_version")?,
            parts: value("parts").and_then(|parts| parts.parse().ok()),
        })
    }
}

/// The stamp of a file of this length in a store; `None` where it is no Parquet of ours.
pub(super) async fn fetch(store: &dyn Store, key: &Key, bytes: u64) -> Result<Option<Stamp>, ConvertError> {
    let Ok(decoder) = ParquetMetaDataPushDecoder::try_new(bytes) else { return Ok(None) };
    let mut decoder = decoder.with_page_index_policy(PageIndexPolicy::Skip);
    let mut wanted: Vec<Range<u64>> = std::iter::once(bytes.saturating_sub(TAIL_BYTES)..bytes).collect();
    loop {
        for range in std::mem::take(&mut wanted) {
            let chunks: Vec<Bytes> = store.read(key, Some(range.clone())).await?.chunks.try_collect().await?;
            if decoder.push_range(range, Bytes::from(chunks.concat())).is_err() {
                return Ok(None);
            }
        }
        match decoder.try_decode() {
            Ok(DecodeResult::Data(footer)) => {
                let entries = footer.file_metadata().key_value_metadata();
                return Ok(entries.and_then(|entries| Stamp::read(entries)));
            }
            Ok(DecodeResult::NeedsData(more)) => wanted = more,
            Ok(DecodeResult::Finished) | Err(_) => return Ok(None),
        }
    }
}
