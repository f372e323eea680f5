//! What a conversion may be told, and the text of it that goes into the file: two conversions with the same text of the same
//! source give the same bytes. Pure.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use ::parquet::basic::{Compression as Codec, ZstdLevel};
use arrow::datatypes::{DataType, Schema};

use crate::hour::Hour;
use crate::table::{self, TableOptions};

/// How Parquet pages are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Zstandard at a level from 1 to 22. Level 3, the default, is what DuckDB and Spark take too; a higher one costs time
    /// and saves little on tweets.
    Zstd(i32),
    /// Not at all.
    None,
}

impl Default for Compression {
    fn default() -> Compression {
        Compression::Zstd(3)
    }
}

/// A text that names no compression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no compression: give zstd, zstd:1 to zstd:22, or none")]
pub struct CompressionError(String);

impl FromStr for Compression {
    type Err = CompressionError;

    fn from_str(text: &str) -> Result<Compression, CompressionError> {
        let wrong = || CompressionError(text.to_owned());
        match text.split_once(':') {
            None if text == "zstd" => Ok(Compression::default()),
            None if text == "none" => Ok(Compression::None),
            Some(("zstd", level)) => {
                let level = level.parse().ok().filter(|level| (1..=22).contains(level));
                level.map(Compression::Zstd).ok_or_else(wrong)
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Compression::Zstd(level) => write!(f, "zstd:{level}"),
            Compression::None => f.write_str("none"),
        }
    }
}

impl Compression {
    pub(super) fn codec(self) -> Codec {
        match self {
            // Levels are checked where they are read; another one that a caller made up is brought into range.
            Compression::Zstd(level) => Codec::ZSTD(ZstdLevel::try_new(level.clamp(1, 22)).unwrap_or_default()),
            Compression::None => Codec::UNCOMPRESSED,
        }
    }
}

/// How hours become Parquet.
#[derive(Debug, Clone)]
pub struct ConvertOptions {
    /// Which columns, and whether referenced posts and the raw line are among the rows and columns.
    pub table: TableOptions,
    /// How pages are compressed.
    pub compression: Compression,
    /// Most rows in a row group. Larger groups compress better and take more memory; 122,880 is what DuckDB writes, and
    /// what readers in parallel like.
    pub row_group_rows: usize,
    /// Convert open hours and folders that are no hours too. Of an open hour the rows are provisional: its file says so, it
    /// gets no `_SUCCESS`, and a later conversion replaces it when the hour has changed or closed.
    pub open: bool,
    /// The late tweets of an hour too, after its own.
    pub late: bool,
    /// Make anew what is there already, be it of another source, with other options or the same.
    pub replace: bool,
    /// Leave out hours of which an object is archived, and tell them in [`Summary::archived`](super::Summary::archived) instead of
    /// among those that failed.
    pub skip_archived: bool,
    /// Leave out tweets that a delete names, of the messages of the hours that are converted and of all closed hours after
    /// them.
    pub without_deleted: bool,
    /// The last hour whose messages are considered; without it, all that are closed.
    pub messages_until: Option<Hour>,
    /// Hours on their way at once: while one is put, the next is read. Each takes memory of its own.
    pub jobs: usize,
    /// Where a file grows before it is put. Without it, in a hidden folder of a target that is a local folder, from where it
    /// need not be copied; else in `TMPDIR` or the system's folder for such files. It must hold the Parquet of `jobs` hours.
    pub temp_dir: Option<PathBuf>,
}

impl Default for ConvertOptions {
    fn default() -> ConvertOptions {
        ConvertOptions {
            table: TableOptions::default(),
            compression: Compression::default(),
            row_group_rows: 122_880,
            open: false,
            late: false,
            replace: false,
            skip_archived: false,
            without_deleted: false,
            messages_until: None,
            jobs: 2,
            temp_dir: None,
        }
    }
}

impl ConvertOptions {
    /// What decides on the content of a file beside its source, in words; `schema` is that of the projection. What only
    /// changes how the work is done is not in it.
    pub(super) fn text(&self, schema: &Schema) -> String {
        let mut text = format!(
            "columns={} compression={} row_group_rows={}",
            if self.table.columns.is_some() { columns(schema) } else { "all".to_owned() },
            self.compression,
            self.row_group_rows.max(1)
        );
        let flags = [
            ("referenced", self.table.referenced),
            ("raw", self.table.raw),
            ("late", self.late),
            ("without_deleted", self.without_deleted),
        ];
        for (name, _) in flags.iter().filter(|(_, set)| *set) {
            text.push(' ');
            text.push_str(name);
        }
        if let Some(hour) = self.messages_until.filter(|_| self.without_deleted) {
            text.push_str(&format!(" messages_until={hour}"));
        }
        text
    }
}

/// The columns of a projection, in the table's order; of a struct that is not whole, its members.
fn columns(schema: &Schema) -> String {
    let whole = table::schema();
    let mut names = Vec::new();
    for field in schema.fields() {
        let full = whole.field_with_name(field.name()).ok();
        match (field.data_type(), full.map(|field| field.data_type())) {
            (DataType::Struct(some), Some(DataType::Struct(all))) if some.len() < all.len() => {
                names.extend(some.iter().map(|member| format!("{}.{}", field.name(), member.name())));
            }
            _ => names.push(field.name().clone()),
        }
    }
    names.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compression_is_written_and_read_back() {
        for compression in [Compression::Zstd(1), Compression::Zstd(22), Compression::None] {
            assert_eq!(compression.to_string().parse(), Ok(compression));
        }
        assert_eq!("zstd".parse(), Ok(Compression::Zstd(3)));
        for wrong in ["", "gzip", "zstd:0", "zstd:23", "zstd:", "none:1"] {
            assert!(wrong.parse::<Compression>().is_err(), "{wrong:?} was taken");
        }
    }

    #[test]
    fn what_does_not_change_the_content_is_not_in_the_text() {
        let schema = table::schema();
        let plain = ConvertOptions::default();
        let other = ConvertOptions {
            jobs: 9,
            replace: true,
            open: true,
            skip_archived: true,
            temp_dir: Some("x".into()),
            ..plain.clone()
        };
        assert_eq!(plain.text(&schema), other.text(&schema));
        assert_eq!(plain.text(&schema), "columns=all compression=zstd:3 row_group_rows=122880");
        let late = ConvertOptions { late: true, ..plain.clone() };
        assert_ne!(late.text(&schema), plain.text(&schema));
    }
}
