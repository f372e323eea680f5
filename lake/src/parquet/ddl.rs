//! Statements that make a table of converted hours where SQL is spoken: Athena, Spark and DuckDB. Pure.
//!
//! None of them needs a crawler: the columns are those of [`crate::table`], and the hours are found by their names. `date` and
//! `hour` have the type in which each engine compares them with the names of folders: Athena projects `date` as a text.

use std::fmt::Write;
use std::str::FromStr;

use arrow::datatypes::{DataType, Field, Fields};

use crate::table::{ColumnError, Projection, TableOptions};
use crate::url::LakeUrl;

/// The name of the table.
const TABLE: &str = "tweets";

/// Whose SQL it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Amazon Athena over AWS Glue, with partition projection.
    Athena,
    /// Spark SQL.
    Spark,
    /// DuckDB: a view.
    DuckDb,
}

/// A text that names no dialect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no dialect: give athena, spark or duckdb")]
pub struct DialectError(String);

impl FromStr for Dialect {
    type Err = DialectError;

    fn from_str(text: &str) -> Result<Dialect, DialectError> {
        match text {
            "athena" => Ok(Dialect::Athena),
            "spark" => Ok(Dialect::Spark),
            "duckdb" => Ok(Dialect::DuckDb),
            _ => Err(DialectError(text.to_owned())),
        }
    }
}

/// Why there are no statements.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DdlError {
    /// A column that the table does not have.
    #[error(transparent)]
    Columns(#[from] ColumnError),
    /// A folder of this machine.
    #[error("Athena reads S3 alone: give --to s3://bucket/prefix, not {0}")]
    NotInS3(String),
}

/// The statements that make the hours under a target one table, each with a semicolon at its end. `options` are those of the
/// conversion.
///
/// # Errors
/// [`DdlError`] for what cannot be a table there.
pub fn ddl(dialect: Dialect, options: &TableOptions, target: &LakeUrl) -> Result<String, DdlError> {
    let schema = Projection::new(options)?.schema();
    match (dialect, target) {
        (Dialect::Athena, LakeUrl::S3 { .. }) => Ok(athena(schema.fields(), &target.to_string())),
        (Dialect::Athena, LakeUrl::Folder(_)) => Err(DdlError::NotInS3(target.to_string())),
        (Dialect::Spark, _) => Ok(spark(schema.fields(), &in_spark(target))),
        (Dialect::DuckDb, _) => Ok(duckdb(&target.to_string())),
    }
}

/// Partition projection: Athena computes the folders of the hours that a query asks for, and lists no others.
fn athena(fields: &Fields, root: &str) -> String {
    let root = in_backslashes(root);
    format!(
        "CREATE EXTERNAL TABLE {TABLE} (\n{}\n)\n\
         PARTITIONED BY (`date` string, `hour` int)\n\
         STORED AS PARQUET\n\
         LOCATION '{root}/'\n\
         TBLPROPERTIES (\n  \
           'projection.enabled' = 'true',\n  \
           'projection.date.type' = 'date',\n  \
           'projection.date.format' = 'yyyy-MM-dd',\n  \
           'projection.date.range' = '2006-03-21,NOW',\n  \
           'projection.date.interval' = '1',\n  \
           'projection.date.interval.unit' = 'DAYS',\n  \
           'projection.hour.type' = 'integer',\n  \
           'projection.hour.range' = '0,23',\n  \
           'projection.hour.digits' = '2',\n  \
           'storage.location.template' = '{root}/date=${{date}}/hour=${{hour}}/'\n\
         );\n",
        columns(fields)
    )
}

/// A table of the session's catalog. The second statement finds the hours; it is said again when there are more.
fn spark(fields: &Fields, root: &str) -> String {
    format!(
        "CREATE TABLE {TABLE} (\n{},\n  `date` date,\n  `hour` int\n)\n\
         USING parquet\n\
         PARTITIONED BY (`date`, `hour`)\n\
         LOCATION '{}';\n\
         MSCK REPAIR TABLE {TABLE};\n",
        columns(fields),
        in_backslashes(root)
    )
}

/// A view, whose columns are those of the files. Times are shown in the session's zone, which is this machine's otherwise.
fn duckdb(root: &str) -> String {
    let root = root.trim_end_matches('/').replace('\'', "''");
    format!(
        "SET TimeZone = 'UTC';\n\
         CREATE OR REPLACE VIEW {TABLE} AS\n\
         SELECT * FROM read_parquet('{root}/date=*/hour=*/tweets.parquet', hive_partitioning = true, \
         hive_types = {{'date': DATE, 'hour': INTEGER}});\n"
    )
}

/// How Spark reaches a target: S3 by Hadoop's s3a, a folder by its whole path.
fn in_spark(target: &LakeUrl) -> String {
    match target {
        LakeUrl::S3 { .. } => target.to_string().replacen("s3://", "s3a://", 1),
        LakeUrl::Folder(path) => {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            format!("file://{}", path.display())
        }
    }
}

/// A text between single quotes, as Hive and Spark read it.
fn in_backslashes(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}

/// The columns, one a line. Each name is quoted, also those of members: `start` and `end` are reserved words.
fn columns(fields: &Fields) -> String {
    let line = |field: &std::sync::Arc<Field>| format!("  `{}` {}", field.name(), type_of(field.data_type()));
    fields.iter().map(line).collect::<Vec<_>>().join(",\n")
}

/// A type by its name in Hive, which Spark knows too.
fn type_of(data_type: &DataType) -> String {
    let plain = match data_type {
        DataType::Struct(members) => {
            let mut text = String::from("struct<");
            for (number, member) in members.iter().enumerate() {
                let comma = if number == 0 { "" } else { "," };
                let _ = write!(text, "{comma}`{}`:{}", member.name(), type_of(member.data_type()));
            }
            return text + ">";
        }
        DataType::List(element) => return format!("array<{}>", type_of(element.data_type())),
        DataType::Binary => "binary",
        DataType::Boolean => "boolean",
        DataType::Int8 => "tinyint",
        DataType::Int16 => "smallint",
        DataType::Int32 => "int",
        DataType::Int64 => "bigint",
        DataType::Float64 => "double",
        DataType::Timestamp(..) => "timestamp",
        DataType::Utf8 => "string",
        other => unreachable!("no column is of type {other}"),
    };
    plain.to_owned()
}

#[cfg(test)]
mod tests;
