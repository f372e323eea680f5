//! How each column is encoded: dictionary or not, how long a page is. Pure.
//!
//! Pages are of version 1 of the format, which every reader knows. What is different in nearly every row (ids, times, texts,
//! links) gets no dictionary: to build one and to throw it away costs more than all the rest of such a column. What rises from
//! row to row, a tweet's id and the times, is written as differences (`DELTA_BINARY_PACKED`): half the bytes of plain numbers
//! that are compressed, in a tenth of the time. Statistics are kept for row groups; long texts are cut short in them.

use ::parquet::basic::Encoding;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use ::parquet::schema::types::{ColumnPath, SchemaDescriptor};

use super::options::Compression;

/// Most bytes of a page before it is compressed. A longer page compresses better, as each begins without a memory of what
/// stood before, and takes more memory; this is what readers are used to.
const PAGE_BYTES: usize = 1 << 20;
/// The same for texts, most of what is compressed: what a processor's own cache holds is searched for matches a quarter
/// faster, and the last page of a file, on which everything waits, is soon compressed.
const TEXT_PAGE_BYTES: usize = 512 << 10;
/// The same for whole lines, which resemble each other much more than their texts do.
const LINE_PAGE_BYTES: usize = 4 << 20;
/// Rows in a page at most.
const PAGE_ROWS: usize = 122_880;
/// A dictionary that grows beyond this is given up.
const DICTIONARY_BYTES: usize = 1 << 20;
/// Bytes of a text that stand in statistics.
const STATISTICS_BYTES: usize = 64;

/// Columns of texts that hardly ever come twice.
const TEXTS: [&str; 2] = ["text", "text_as_sent"];

/// Whether a column is most of a file by itself.
pub(super) fn is_long(path: &str) -> bool {
    TEXTS.contains(&path) || path == "raw"
}

/// Whether it rises from row to row, or nearly.
fn is_rising(path: &str) -> bool {
    matches!(path, "tweet_id" | "created_at" | "received_at")
}

/// What the last part of a column's name says.
fn is_unique(path: &str) -> bool {
    let name = path.rsplit('.').find(|part| !matches!(*part, "element" | "list")).unwrap_or(path);
    TEXTS.contains(&path) || is_rising(path) || path == "raw" || name == "edit_ids"
}

/// How a file of this schema is written.
pub(super) fn properties(schema: &SchemaDescriptor, compression: Compression) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by(concat!("cauce ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(compression.codec())
        .set_dictionary_enabled(true)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_data_page_size_limit(PAGE_BYTES)
        .set_data_page_row_count_limit(PAGE_ROWS)
        // The encoder ends row groups itself.
        .set_max_row_group_row_count(None)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_statistics_truncate_length(Some(STATISTICS_BYTES));
    for column in schema.columns() {
        let path: &ColumnPath = column.path();
        let name = path.string();
        if is_unique(&name) {
            let encoding = if is_rising(&name) { Encoding::DELTA_BINARY_PACKED } else { Encoding::PLAIN };
            properties = properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path.clone(), encoding);
        }
        if is_long(&name) {
            let page_bytes = if name == "raw" { LINE_PAGE_BYTES } else { TEXT_PAGE_BYTES };
            properties = properties.set_column_data_page_size_limit(path.clone(), page_bytes);
        }
    }
    properties.build()
}
