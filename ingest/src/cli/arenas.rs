//! How the C library's allocator is set for work whose memory wanders between threads: rows are made by one and encoded by
//! another. Left alone, glibc gives each thread an arena of its own, and each arena keeps what the others need.

/// What the allocator keeps for the next batch instead of giving it back and asking for it again.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_BYTES: i32 = 32 << 20;
/// What an arena grows by: in steps of a page it asks the system a thousand times, and ends up twice as large in pieces.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const GROWTH_BYTES: i32 = 1 << 20;

/// Keeps the allocator to two arenas, and these from giving memory back after each batch. A third of the memory of a conversion
/// is saved so, and some of the system's time. To be called before other threads are there.
#[allow(unsafe_code, reason = "mallopt is a C function")]
pub(super) fn keep_to_few() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes two numbers and sets one of the allocator's own; it may be called at any time.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2);
        libc::mallopt(libc::M_MMAP_THRESHOLD, KEPT_BYTES);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_BYTES);
        libc::mallopt(libc::M_TOP_PAD, GROWTH_BYTES);
    }
}
