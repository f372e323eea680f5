//! What `ingest convert` shows while it runs and when it is done.

use std::io::{self, Write};

use bytesize::ByteSize;
use cauce_lake::parquet::{HourReport, Outcome, Progress, Summary};
use indicatif::{ProgressBar, ProgressStyle};

/// How far it is: a bar for a person, a line an hour for a log.
pub(super) struct Shown {
    bar: Option<ProgressBar>,
}

impl Shown {
    pub(super) fn new(bar: bool) -> Shown {
        let style = "{bar:30} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left, {msg}";
        let style = ProgressStyle::with_template(style).expect("these are words that it knows");
        Shown { bar: bar.then(|| ProgressBar::new(0).with_style(style)) }
    }

    pub(super) fn tell(&mut self, progress: &Progress, err: &mut dyn Write) -> io::Result<()> {
        match (&self.bar, &progress.last) {
            (Some(bar), _) => {
                bar.set_length(progress.bytes_in_total);
                bar.set_position(progress.bytes_in);
                let Progress { hours_done, hours, rows, rejects, .. } = progress;
                bar.set_message(format!("{hours_done}/{hours} hours, {rows} rows, {rejects} rejects"));
                Ok(())
            }
            (None, Some(hour)) => writeln!(err, "{}", line(hour)),
            (None, None) => Ok(()),
        }
    }

    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn line(report: &HourReport) -> String {
    let HourReport { hour, rows, rejects, bytes_in, bytes_out, .. } = report;
    format!("{hour}  {rows} rows, {rejects} rejects, {} from {}", size(*bytes_out), size(*bytes_in))
}

/// What it came to, a line a number.
pub(super) fn summary(done: &Summary) -> String {
    let sum = |number: fn(&HourReport) -> u64| done.total(number);
    let up_to_date = done.hours.iter().filter(|hour| hour.outcome == Outcome::UpToDate).count();
    let (bytes_in, bytes_out) = (sum(|hour| hour.bytes_in), sum(|hour| hour.bytes_out));
    let archived = match done.archived.len() {
        0 => String::new(),
        archived => format!(", {archived} left out as archived"),
    };
    let seconds = done.elapsed.as_secs_f64();
    let ratio = bytes_in as f64 / bytes_out.max(1) as f64;
    let rate = bytes_in as f64 / 1e6 / seconds.max(1e-3);
    format!(
        "hours       {} made, {up_to_date} up to date, {} failed{archived}\n\
         rows        {}\n\
         rejects     {}\n\
         duplicates  {}\n\
         deleted     {}\n\
         read        {}\n\
         written     {} ({ratio:.1} : 1)\n\
         time        {seconds:.1} s ({rate:.0} MB/s)\n",
        done.made(),
        done.failed.len(),
        sum(|hour| hour.rows),
        sum(|hour| hour.rejects),
        sum(|hour| hour.duplicates),
        sum(|hour| hour.deleted),
        size(bytes_in),
        size(bytes_out),
    )
}

fn size(bytes: u64) -> String {
    ByteSize(bytes).display().iec().to_string()
}
