//! Disks of a test's own: programs run by a shell that mounts one first, in a namespace that goes with it.

use std::fs;

use crate::program::{Ended, Place, Program};

/// Runs a script in a place.
pub(crate) fn shell(place: &Place, script: &str) -> Ended {
    Program::start(place.command("/bin/sh", &["-c", script])).end()
}

/// Whether this machine lets us mount a disk on this folder, which is made; says so where it does not.
#[expect(clippy::print_stdout, reason = "a test that does not run must say so")]
pub(crate) fn can_mount(place: &Place, folder: &str) -> bool {
    fs::create_dir_all(place.path(folder)).expect("a folder is made");
    let made = std::process::Command::new("unshare")
        .args(["-rm", "mount", "-t", "tmpfs", "tmpfs"])
        .arg(place.path(folder))
        .output();
    let can = made.as_ref().is_ok_and(|made| made.status.success());
    if !can {
        println!("skipped: no disk can be mounted here: {made:?}");
    }
    can
}

/// Runs a script that may mount disks. They are gone when it has ended.
pub(crate) fn with_disk(place: &mut Place, script: &str) -> Ended {
    place.set("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    Program::start(place.command("/usr/bin/env", &["unshare", "-rm", "sh", "-c", script])).end()
}
