//! How fast [`cauce_lake::tweet::scan`] goes over a file of lines, and what it finds there. To be run by hand, in release:
//! `cargo run --release -p cauce-lake --example scan_speed -- FILE [ROUNDS]`.
#![allow(clippy::print_stdout, reason = "a probe for people")]

use std::time::Instant;

use cauce_lake::tweet::{LineKind, scan};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("give a file of lines")?;
    let rounds: u32 = args.next().map_or(Ok(5), |rounds| rounds.parse())?;
    let bytes = std::fs::read(path)?;
    for _ in 0..rounds {
        let (mut lines, mut tweets, mut rejects, mut ids) = (0u64, 0u64, 0u64, 0u64);
        let start = Instant::now();
        let mut from = 0;
        for end in memchr::memchr_iter(b'\n', &bytes).chain([bytes.len()]) {
            lines += 1;
            match scan(&bytes[from..end]) {
                // The ids go into the answer so that reading them cannot be optimised away.
                LineKind::Tweet(head) => {
                    tweets += 1;
                    ids ^= head.id;
                }
                LineKind::Reject(_) => rejects += 1,
                _ => {}
            }
            from = end + 1;
        }
        let seconds = start.elapsed().as_secs_f64();
        let gigabytes = bytes.len() as f64 / 1e9;
        println!(
            "{:.2} GB/s, {:.0} ns a line: {lines} lines, {tweets} tweets, {rejects} rejects, ids {ids:x}",
            gigabytes / seconds,
            seconds * 1e9 / lines as f64,
        );
    }
    Ok(())
}
