//! The built program from outside: processes, signals, files, sockets and S3 servers, as its users meet it.
//!
//! One binary, so that it is linked once. S3 servers that are not installed are skipped with a word
//! (`cauce_lake::store::servers` says how to name one), and so is what a machine does not allow (mounting a disk).

mod archived;
mod archives;
mod bad_config;
mod bad_lines;
mod bad_machine;
mod bad_store;
mod bad_target;
mod bombs;
mod case;
#[cfg(feature = "failpoints")]
mod clock;
mod command_line;
mod convert;
mod corpus;
mod credentials;
#[cfg(feature = "failpoints")]
mod damage;
mod disk;
mod faults;
mod files;
mod filters;
mod http;
mod input_bombs;
mod inputs;
#[cfg(feature = "failpoints")]
mod kill;
mod lake;
mod lease;
mod misbehaving;
mod oracle;
mod outage;
mod program;
mod proxy;
mod reading;
mod rejects;
mod s3_options;
mod seed;
mod simulator;
#[cfg(feature = "failpoints")]
mod spools;
mod stop;
mod strange_files;
mod stream_lines;
mod streams;
mod surroundings;
mod zombie;
