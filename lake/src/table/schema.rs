//! The types that describe a column, and the Arrow schema built from them; the columns themselves are in
//! [`super::mapping`].

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// The version of the table, stored in the schema's metadata under [`SCHEMA_VERSION_KEY`].
pub const SCHEMA_VERSION: &str = "2";
/// The key of the table's version in the schema's metadata.
pub const SCHEMA_VERSION_KEY: &str = "cauce.schema_version";

/// A column, a member of a struct or the element of a list.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: ColumnType,
    pub(super) v1: Location,
    pub(super) v2: Location,
}

/// A column's type.
#[derive(Debug)]
pub(super) enum ColumnType {
    Text,
    Binary,
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    Float64,
    /// Microseconds since the epoch, UTC.
    Time,
    Struct(&'static [Column]),
    /// Paths of the element are relative to it; the empty path is the element itself.
    List(&'static Column),
}

/// Where a wire format has a column.
#[derive(Debug, Clone, Copy)]
pub(super) enum Location {
    /// It does not have it: null.
    Nowhere,
    /// In the first of these values that is present.
    At(&'static [&'static str]),
    /// The struct's members are in this object; null where that is absent, null or `{}`.
    Inside(&'static str),
    /// The struct's members are beside one another in the enclosing object; null where all are absent.
    Beside,
    /// The struct's members are in the first object of this array.
    First(&'static str),
    /// By a special rule.
    Rule(Rule),
}

/// The special rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    TweetId,
    Role,
    IngestPath,
    Api,
    ReceivedAt,
    CreatedAt,
    Raw,
    Source,
    /// v1.1: whether the text is complete.
    TextComplete1,
    TweetType1,
    /// v1.1: the bounding box of a place's polygon.
    Bbox1,
    /// v2: the original's text for a retweet, the note's text for a long post.
    Text2,
    TextComplete2,
    TweetType2,
    /// v2: the id in `referenced_tweets` of this type.
    ReferenceId(Reference),
    /// v2: the author of that post, from the includes.
    ReferenceAuthor(Reference),
    ReplyUsername2,
    Author2,
    Media2,
    Poll2,
    Place2,
}

/// How a post refers to another one in v2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reference {
    Retweeted,
    Quoted,
    RepliedTo,
}

impl ColumnType {
    /// The Arrow type of a scalar.
    pub(super) fn plain_type(&self) -> DataType {
        match self {
            ColumnType::Text => DataType::Utf8,
            ColumnType::Binary => DataType::Binary,
            ColumnType::Bool => DataType::Boolean,
            ColumnType::Int8 => DataType::Int8,
            ColumnType::Int16 => DataType::Int16,
            ColumnType::Int32 => DataType::Int32,
            ColumnType::Int64 => DataType::Int64,
            ColumnType::Float64 => DataType::Float64,
            ColumnType::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            ColumnType::Struct(_) | ColumnType::List(_) => unreachable!("nested types are built from their members"),
        }
    }
}

/// A schema of these fields, with the table's version.
pub(super) fn with_version(fields: Vec<Field>) -> SchemaRef {
    let version = HashMap::from([(SCHEMA_VERSION_KEY.to_owned(), SCHEMA_VERSION.to_owned())]);
    Arc::new(Schema::new_with_metadata(fields, version))
}
