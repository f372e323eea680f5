//! The bucket as a library: hourly folders of tweets on S3 or in a local folder.
//!
//! A *lake* is a store, a prefix in it and a partition pattern. From the bottom up: [`hour`] and [`pattern`] name its
//! folders, [`tweet`] classifies a line, [`store`] puts and fetches objects, [`names`], [`manifest`] and
//! [`rejects`] define its formats. [`object`] is what to read; [`catalogue`] lists hours and [`read`] streams lines,
//! side by side. [`Lake`] and [`Lakes`] combine both. [`table`] and [`scan`] turn lines into Arrow batches,
//! `parquet` writes them, [`verify`] checks hours.
//!
//! There is no daemon code: nothing here decides when an hour is written or closed, starts threads of its own or writes
//! to a global log.

pub mod catalogue;
pub mod checksum;
mod codec;
pub mod faults;
pub mod hour;
pub mod lake;
pub mod lakes;
pub mod manifest;
pub mod names;
pub mod object;
pub mod options;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod pattern;
pub mod read;
pub mod rejects;
pub mod scan;
pub mod setting;
pub mod store;
pub mod table;
pub mod tweet;
pub mod url;
pub mod verify;
pub mod work;

pub use hour::{Hour, HourRange};
pub use lake::Lake;
pub use lakes::Lakes;
pub use pattern::Pattern;
pub use store::{Key, Store, StoreError};
pub use url::LakeUrl;
