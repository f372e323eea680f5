//! The binary `ingest`; through a link called `flume-ng` it takes Flume's command line. All of it is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    cauce_ingest::cli::main(std::env::args_os())
}
