//! Lines → Arrow: the table of tweets, one fixed schema for v1.1 and v2, filled straight from the bytes.
//!
//! One walk checks a line's grammar and keeps where the wanted values stand ([`record`]), fast where it comes along a way that
//! lines before it took ([`trail`]); then each column takes its own ([`fill`]). No document is built, and what no column asks for is only skipped. `mapping` is the whole mapping as data,
//! `projection` and `plan` compile it, `v1` and `v2` hold the columns with rules of their own.
//!
//! Pure: no I/O, no threads. A line is a tweet here exactly where [`crate::tweet::scan`] says so, so that counts agree with
//! manifests. What a column asks for and cannot hold makes the line a reject; nothing is rounded, cut or nulled silently.

mod arrival;
mod column;
mod decoder;
mod fill;
mod includes;
mod mapping;
mod plan;
mod projection;
mod record;
mod reject;
mod schema;
mod shape;
mod trail;
mod v1;
mod v2;
mod validity;
mod value;

#[cfg(test)]
mod tests;

pub use arrival::ArrivalCursor;
pub use decoder::{Decoder, Origin, Pushed, Rows};
pub use projection::{ColumnError, Projection};
pub use reject::RejectReason;
pub use schema::{SCHEMA_VERSION, SCHEMA_VERSION_KEY, schema};

/// What the table is to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableOptions {
    /// Columns by name, members of structs with a dot (`author.username`, `hashtags.tag`); all of them where `None`. The
    /// order is always the table's.
    pub columns: Option<Vec<String>>,
    /// Rows also for posts that a line only brings along: retweeted and quoted ones, and v2's included ones.
    pub referenced: bool,
    /// A last column `raw` with the line itself.
    pub raw: bool,
}
