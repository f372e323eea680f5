//! Lines to Arrow: the table of tweets, one fixed schema for v1.1 and v2, filled directly from the bytes.
//!
//! One pass validates a line's grammar and locates the selected values ([`record`]), helped by what it learned from
//! earlier lines ([`speculation`]); then each column takes its value ([`fill`]). No document is built, and values that
//! no column selects are skipped. `mapping` is the whole mapping as data, `projection` and `plan` compile it, `v1` and
//! `v2` contain the columns with special rules.
//!
//! Pure: no I/O, no threads. Decoder and [`crate::tweet::scan`] agree on which lines are tweets, so that row counts
//! agree with manifests. A value that its column cannot hold makes the line a reject: nothing is rounded, truncated or
//! replaced by null.

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
mod speculation;
mod v1;
mod v2;
mod validity;
mod value;

#[cfg(test)]
mod tests;

pub(crate) use arrival::ArrivalCursor;
pub use decoder::{Decoder, Origin, Pushed, Rows};
pub use projection::{ColumnError, Projection, schema};
pub use reject::RejectReason;
pub use schema::{SCHEMA_VERSION, SCHEMA_VERSION_KEY};

/// What to select from each line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableOptions {
    /// Columns by name, members of structs with a dot (`author.username`, `hashtags.tag`); `None` selects all. The
    /// order is always that of the table.
    pub columns: Option<Vec<String>>,
    /// Add rows for the posts that a line contains besides its own: retweeted and quoted ones, and included ones of v2.
    pub referenced: bool,
    /// Add a last column `raw` with the line itself.
    pub raw: bool,
}
