//! Whose the spool's files are, whatever was there before and whatever the umask says.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::crash_tests::head;
use super::{Options, Spool, SpoolError, group_limit};

fn options(dir: &Path) -> Options {
    Options { dir: dir.to_owned(), durable: true, dedupe_window_ms: i64::MAX, group_limit: group_limit(1 << 20, 100) }
}

/// A spool with every kind of file.
fn fill(dir: &Path) {
    let mut spool = Spool::open(&options(dir)).expect("the spool opens").0;
    spool.create(head(&spool, 0)).expect("created");
    spool.append(0, b"a line", 1_000, Some(1));
    spool.commit().expect("committed");
    spool.checkpoint().expect("taken");
    assert!(super::reserve::take(dir, 1 << 16).expect("allocated"));
}

/// Path and mode of all there is.
fn modes(dir: &Path) -> Vec<(String, u32)> {
    let mut found = vec![(dir.display().to_string(), fs::metadata(dir).expect("there").permissions().mode() & 0o777)];
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => found.extend(modes(&path)),
            false => {
                let mode = fs::metadata(&path).expect("there").permissions().mode() & 0o777;
                found.push((path.display().to_string(), mode));
            }
        }
    }
    found
}

fn assert_closed(dir: &Path) {
    let modes = modes(dir);
    assert!(modes.len() >= 9, "{modes:?}");
    for (path, mode) in modes {
        let wanted = if Path::new(&path).is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, wanted, "{path} has mode {mode:o}");
    }
}

#[test]
fn what_the_spool_makes_is_its_users_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("spool");
    fill(&dir);
    assert_closed(&dir);
}

#[test]
fn a_spool_that_others_could_read_is_closed_to_them_by_the_next_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("spool");
    fill(&dir);
    for (path, _) in modes(&dir) {
        let mode = if Path::new(&path).is_dir() { 0o755 } else { 0o664 };
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("ours");
    }
    drop(Spool::open(&options(&dir)).expect("the spool opens"));
    assert_closed(&dir);
}

#[test]
fn a_folder_that_all_users_share_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o1777)).expect("ours");
    let error = Spool::open(&options(folder.path())).err().expect("refused");
    assert!(matches!(error, SpoolError::Shared { .. }) && error.to_string().contains("spool.dir"), "{error}");
    assert_eq!(fs::metadata(folder.path()).expect("there").permissions().mode() & 0o7777, 0o1777);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
}
