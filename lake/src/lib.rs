//! The bucket as a library: hourly folders of tweets on S3 or in a local folder.
//!
//! A *lake* is a store, a prefix in it and a partition pattern. This crate knows how its hours are named
//! ([`pattern`], [`hour`]), what a line in them is ([`tweet`]), how objects are put and fetched ([`store`]), what closes
//! an hour ([`manifest`]), what is kept of rejected lines ([`rejects`]), and how hours are listed, read and decoded ([`catalogue`], [`read`], [`scan`]).
//!
//! It holds no daemon code: nothing here decides when an hour is written or closed, starts threads of its own or logs
//! to a global.

pub mod catalogue;
pub mod checksum;
pub mod codec;
pub mod faults;
pub mod hour;
pub mod manifest;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod pattern;
pub mod read;
pub mod rejects;
pub mod scan;
pub mod store;
pub mod table;
pub mod tweet;
pub mod url;
pub mod verify;
pub mod work;

pub use catalogue::{Lake, Lakes};
pub use hour::{Hour, HourRange};
pub use pattern::Pattern;
pub use store::{Key, Store, StoreError};
pub use url::LakeUrl;
