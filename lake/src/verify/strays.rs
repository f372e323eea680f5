//! Objects of a closed hour that no manifest lists: in the hour's folder and in its folder under `late/`.

use std::collections::HashSet;

use crate::catalogue::{Role, role};
use crate::hour::Hour;
use crate::lake::Lake;
use crate::names::{LATE_PREFIX, epoch_ms_in_name};
use crate::pattern::Granularity;
use crate::store::{Key, StoreError, list_all};

/// Finds them, with their lengths. A folder that several years share is held apart by the numbers in the names.
pub(super) async fn find(lake: &Lake, hour: Hour, listed: &HashSet<&Key>) -> Result<Vec<(Key, u64)>, StoreError> {
    let pattern = lake.pattern();
    if pattern.granularity() != Granularity::Hour {
        return Ok(Vec::new());
    }
    let folder = pattern.folder_of(hour);
    let Some(time) = pattern.read(&folder) else { return Ok(Vec::new()) };
    let of_hour = |key: &Key| match epoch_ms_in_name(key.file_name()) {
        Some(number) => time.hour_near(number) == Some(hour),
        // Without a number a name tells no year.
        None => pattern.names_year(),
    };
    let mut strays = Vec::new();
    for prefix in [format!("{folder}/"), format!("{LATE_PREFIX}{folder}/")] {
        let objects = list_all(lake.store().as_ref(), &prefix).await?;
        let inside = objects
            .into_iter()
            .filter(|object| object.key.as_str().len() > prefix.len() && object.key.folder().len() + 1 == prefix.len());
        strays.extend(
            inside
                .filter(|object| role(object.key.file_name()) != Role::Hidden)
                .filter(|object| of_hour(&object.key) && !listed.contains(&object.key))
                .map(|object| (object.key, object.bytes)),
        );
    }
    Ok(strays)
}
