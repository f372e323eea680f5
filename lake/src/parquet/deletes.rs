//! Which tweets were deleted: the deletes among the messages of some hours.

use futures_util::{StreamExt, stream};
use serde::Deserialize;

use super::ConvertError;
use super::ids::Ids;
use crate::catalogue::LakeObject;
use crate::hour::Hour;
use crate::lakes::Lakes;
use crate::read::{ReadOptions, Source, lines};

/// Most deletes that are kept: some 600 MB.
const MOST: usize = 32 << 20;
/// Manifests that are read at once: they are small.
const CONCURRENCY: usize = 16;

/// `{"delete":{"status":{"id":1,"id_str":"1"}}}`; the id may be either.
#[derive(Deserialize)]
struct Line {
    delete: Option<Delete>,
}

#[derive(Deserialize)]
struct Delete {
    status: Status,
}

#[derive(Deserialize)]
struct Status {
    id_str: Option<String>,
    id: Option<i64>,
}

/// The tweet that a line says is deleted.
fn deleted(line: &[u8]) -> Option<i64> {
    let status = serde_json::from_slice::<Line>(line).ok()?.delete?.status;
    status.id_str.and_then(|id| id.parse().ok()).or(status.id)
}

/// The deletes in the messages of closed hours, from the first one that is converted.
pub(super) async fn read(lakes: &Lakes, hours: Vec<Hour>) -> Result<Ids, ConvertError> {
    let mut ids = Ids::new();
    let entries = stream::iter(hours.into_iter().map(|hour| async move { (hour, lakes.hour(hour).await) }));
    let mut entries = entries.buffered(CONCURRENCY);
    while let Some((hour, entry)) = entries.next().await {
        let entry = entry?;
        let source =
            |object: &LakeObject| Source::Object(lakes.lakes()[object.lake].store().clone(), object.object.clone());
        let mut blocks = lines(entry.messages.iter().map(source).collect(), &ReadOptions::default());
        while let Some(block) = blocks.next().await {
            let block =
                block.map_err(|source| ConvertError::Read { name: hour.to_string(), source: Box::new(source) })?;
            ids.extend(block.lines().filter_map(deleted));
            if ids.len() > MOST {
                return Err(ConvertError::TooManyDeletes { most: MOST, until: hour });
            }
        }
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delete_names_its_tweet_as_text_or_as_a_number() {
        let both = br#"{"delete":{"status":{"id":1,"id_str":"9007199254740993","user_id":3},"timestamp_ms":"5"}}"#;
        assert_eq!(deleted(both), Some(9_007_199_254_740_993));
        assert_eq!(deleted(br#"{"delete":{"status":{"id":9007199254740993}}}"#), Some(9_007_199_254_740_993));
        for other in [r#"{"scrub_geo":{"user_id":1}}"#, r#"{"delete":{"status":{}}}"#, "{", ""] {
            assert_eq!(deleted(other.as_bytes()), None, "{other}");
        }
    }
}
