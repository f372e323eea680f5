//! Named places at which a test may kill the process, to prove that the next start loses and doubles nothing.
//!
//! With the cargo feature `failpoints` the variable `INGEST_FAILPOINT=name` kills the process with SIGKILL when it comes to
//! that place, `name:3` when it comes there for the third time. Without the feature, as in every build that is shipped,
//! a place costs nothing and the variable means nothing.

/// All places, in the order in which a record meets them.
pub const NAMES: &[&str] = &[
    "recovery.checked",
    "checkpoint.run-written",
    "checkpoint.journal-made",
    "append.data-written",
    "commit.journal-written",
    "commit.synced",
    "seal.hashed",
    "seal.journalled",
    "upload.before-put",
    "upload.after-put",
    "delete.before",
    "delete.after",
    "manifest.journalled",
    "manifest.before-put",
    "manifest.after-put",
    "success.after-put",
];

/// Kills the process here if a test asked for it.
#[cfg(feature = "failpoints")]
pub fn hit(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static ASKED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static SEEN: AtomicU64 = AtomicU64::new(0);

    debug_assert!(NAMES.contains(&name), "{name} is not in the list that the tests go through");
    let asked = ASKED.get_or_init(|| {
        let text = std::env::var("INGEST_FAILPOINT").ok()?;
        let (name, times) = text.split_once(':').unwrap_or((&text, "1"));
        Some((name.to_owned(), times.parse().expect("INGEST_FAILPOINT is name or name:times")))
    });
    let Some((asked, times)) = asked else { return };
    if asked == name && SEEN.fetch_add(1, Ordering::Relaxed) + 1 == *times {
        // SIGKILL and not an abort: nothing may run on the way out, not even a handler.
        let ours = rustix::process::getpid();
        let _ = rustix::process::kill_process(ours, rustix::process::Signal::KILL);
        loop {
            std::thread::park();
        }
    }
}

/// Does nothing in this build.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn hit(_name: &str) {}
