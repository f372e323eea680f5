//! Whether the spool and a lake in a local folder share a file system. A spool bridges the time in which the store takes
//! nothing, and a store on the same disk is full at the same moment.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use cauce_lake::LakeUrl;

use crate::config::Settings;

/// What is worth saying about it, for a source that goes on for ever.
pub(super) fn notice(settings: &Settings) -> Option<String> {
    let LakeUrl::Folder(lake) = &settings.lake.url else { return None };
    (settings.source.is_live() && share(&settings.spool.dir, lake)).then(|| {
        format!(
            "spool {} and lake {} are on one file system: when it is full, nothing can be accepted either, and a lost disk takes \
             both; put spool.dir on another disk",
            settings.spool.dir.display(),
            lake.display()
        )
    })
}

/// Whether two folders, which may not be there yet, are or would be on one file system.
fn share(one: &Path, other: &Path) -> bool {
    matches!((device(one), device(other)), (Some(one), Some(other)) if one == other)
}

/// The file system of the nearest folder above that is there.
fn device(path: &Path) -> Option<u64> {
    let there = path.ancestors().map(|path| if path.as_os_str().is_empty() { Path::new(".") } else { path });
    there.filter_map(|path| std::fs::metadata(path).ok()).map(|meta| meta.dev()).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_are_not_there_yet_belong_to_the_file_system_above_them() {
        let folder = tempfile::tempdir().expect("temporary folder");
        assert!(share(&folder.path().join("spool"), &folder.path().join("lake/a/b")));
        assert!(share(Path::new("no-such-spool"), Path::new("no/such/lake")));
        assert!(!share(&folder.path().join("spool"), Path::new("/proc/lake")));
    }
}
