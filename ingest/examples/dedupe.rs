//! What dedupe costs at a scale: takes in ids as a stream brings them, 10,000 a second by their own time and up to two
//! seconds out of order, with the spool's own index and its own rhythm of checkpoints, and prints memory, disk and
//! time a look-up. Nothing of it is in the program. Times are this thread's on a processor (Linux tells them), so that a busy
//! machine does not count; only a checkpoint is timed by the clock, for the writer waits for the disk.
//!
//! ```text
//! cargo run --release -p cauce-ingest --example dedupe -- FOLDER IDS
//! ```

#![expect(clippy::print_stdout, reason = "its figures are what it is for")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cauce_ingest::spool::disk::RealDisk;
use cauce_ingest::spool::ids::{CHECKPOINT_IDS, IdIndex};
use rand::{RngExt, SeedableRng};

type Failure = Box<dyn std::error::Error>;

const IDS_A_MILLISECOND: u64 = 10;
const OUT_OF_ORDER_MS: u64 = 2_000;
const BEGIN_MS: u64 = 400_000_000_000;
/// Look-ups for each figure.
const LOOK_UPS: u64 = 200_000;

/// The id of the n-th tweet of the stream: its time in the upper bits, and what makes it one of a kind in the lower.
fn id(n: u64) -> u64 {
    // A cheap mix, so that the same n gives the same delay again.
    let delay_ms = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    let at_ms = BEGIN_MS + n / IDS_A_MILLISECOND - delay_ms % OUT_OF_ORDER_MS;
    (at_ms << 22) | (n & 0x3F_FFFF)
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(count)) = (arguments.next(), arguments.next()) else {
        return Err("usage: dedupe FOLDER IDS".into());
    };
    let (folder, count) = (PathBuf::from(folder), count.parse::<u64>()?);
    std::fs::create_dir_all(folder.join("ids"))?;
    let disk = RealDisk::new(&folder);
    let mut ids = IdIndex::default();
    let (mut checkpoints, mut longest) = (Duration::ZERO, Duration::ZERO);
    let began = on_processor()?;
    let mut checkpoints_on_processor = Duration::ZERO;
    for n in 0..count {
        let new = id(n);
        if ids.contains(new)? {
            return Err(format!("{new} is new and was known").into());
        }
        ids.insert(new);
        if ids.hot_len() > CHECKPOINT_IDS {
            let (began, began_on_processor) = (Instant::now(), on_processor()?);
            let runs = ids.write_run(&disk, 0, 0)?;
            ids.settle(&disk, &runs)?;
            checkpoints += began.elapsed();
            longest = longest.max(began.elapsed());
            checkpoints_on_processor += on_processor()? - began_on_processor;
        }
    }
    let taken_in = on_processor()? - began - checkpoints_on_processor;
    println!("ids            {count}, {} in memory, {} runs", ids.hot_len(), ids.runs());
    println!("memory         {} MiB now, {} MiB at most", status("VmRSS")?, status("VmHWM")?);
    println!("disk           {} MiB", size(&folder.join("ids"))? >> 20);
    println!("a new id       {} ns, look-up and taking in", taken_in.as_nanos() / u128::from(count.max(1)));
    let (all, busy) = (checkpoints.as_secs_f64(), checkpoints_on_processor.as_secs_f64());
    let times = count / CHECKPOINT_IDS as u64;
    println!(
        "checkpoints    {times} in {all:.1} s ({busy:.1} s of processor), the longest {:.2} s",
        longest.as_secs_f64()
    );
    let mut dice = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let recent = count.saturating_sub(100_000)..count;
    for (what, from, known) in
        [("a recent one", recent, true), ("any one", 0..count, true), ("one in between", 0..count, false)]
    {
        let asked: Vec<u64> =
            (0..LOOK_UPS).map(|_| id(dice.random_range(from.clone())) ^ u64::from(!known) << 21).collect();
        let (began, by_the_clock) = (on_processor()?, Instant::now());
        let mut found = 0;
        for id in &asked {
            found += u64::from(ids.contains(*id)?);
        }
        let took = (on_processor()? - began).as_nanos() / u128::from(LOOK_UPS);
        let clock = by_the_clock.elapsed().as_nanos() / u128::from(LOOK_UPS);
        println!("{what:14} {took} ns a look-up ({clock} ns by the clock), {found} of {LOOK_UPS} known");
        if known && found < LOOK_UPS {
            return Err("an id was forgotten".into());
        }
    }
    Ok(())
}

/// How long this thread has been on a processor.
fn on_processor() -> Result<Duration, Failure> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(Duration::from_nanos(text.split_whitespace().next().ok_or("the system does not say")?.parse()?))
}

/// A size out of the process's status, in MiB.
fn status(name: &str) -> Result<u64, Failure> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)).ok_or("the system does not say")?;
    let kib: u64 = line.trim_start_matches(':').split_whitespace().next().ok_or("no number")?.parse()?;
    Ok(kib >> 10)
}

fn size(folder: &Path) -> Result<u64, Failure> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}
