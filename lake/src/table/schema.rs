//! What a column is made of, and the Arrow schema that comes of all of them; the columns themselves are [`super::mapping`]'s.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// The version of the table, in the schema's metadata under [`SCHEMA_VERSION_KEY`].
pub const SCHEMA_VERSION: &str = "2";
/// Key of the table's version in the schema's metadata.
pub const SCHEMA_VERSION_KEY: &str = "cauce.schema_version";

/// A column, a member of a struct or the element of a list.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) v1: Wire,
    pub(super) v2: Wire,
}

/// A column's type.
#[derive(Debug)]
pub(super) enum Kind {
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
    /// Of this element; paths in it are relative to an element, and the empty path is the element itself.
    List(&'static Column),
}

/// Where a wire form has a column.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wire {
    /// Nowhere: null.
    Nowhere,
    /// In the first of these that is there.
    At(&'static [&'static str]),
    /// The struct's members are in this object; null where it is absent, null or `{}`.
    Inside(&'static str),
    /// The struct's members are in the same object as the struct itself; null where that is told by none of them.
    Beside,
    /// The struct's members are in the first object of this array.
    First(&'static str),
    /// By a rule of its own.
    Own(Own),
}

/// The columns with a rule of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    TweetId,
    Role,
    IngestPath,
    Api,
    ReceivedAt,
    CreatedAt,
    Raw,
    Source,
    /// v1.1: whether the text that counts was cut.
    TextComplete1,
    TweetType1,
    /// v1.1: the box around a place's polygon.
    Bbox1,
    /// v2: the original's text for a retweet, the note's for a long post.
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

impl Column {
    /// Its Arrow type with all members.
    pub(super) fn data_type(&self) -> DataType {
        match &self.kind {
            Kind::Struct(members) => DataType::Struct(members.iter().map(Column::field).collect()),
            Kind::List(item) => DataType::List(Arc::new(item.field())),
            plain => plain.plain_type(),
        }
    }

    fn field(&self) -> Field {
        Field::new(self.name, self.data_type(), true)
    }
}

impl Kind {
    /// The Arrow type of what is neither a struct nor a list.
    pub(super) fn plain_type(&self) -> DataType {
        match self {
            Kind::Text => DataType::Utf8,
            Kind::Binary => DataType::Binary,
            Kind::Bool => DataType::Boolean,
            Kind::Int8 => DataType::Int8,
            Kind::Int16 => DataType::Int16,
            Kind::Int32 => DataType::Int32,
            Kind::Int64 => DataType::Int64,
            Kind::Float64 => DataType::Float64,
            Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Kind::Struct(_) | Kind::List(_) => unreachable!("nested types are built from their members"),
        }
    }
}

/// The whole table, without the raw line: every column, in order, all nullable, in the exact types Spark takes. The
/// metadata tells the table's version.
pub fn schema() -> SchemaRef {
    with_version(super::mapping::COLUMNS.iter().map(Column::field).collect())
}

/// A schema of these fields that tells the table's version.
pub(super) fn with_version(fields: Vec<Field>) -> SchemaRef {
    let version = HashMap::from([(SCHEMA_VERSION_KEY.to_owned(), SCHEMA_VERSION.to_owned())]);
    Arc::new(Schema::new_with_metadata(fields, version))
}
