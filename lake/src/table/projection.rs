//! Resolves the selected columns, names with dots for members, against the table, and builds their schema.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, SchemaRef};

use super::TableOptions;
use super::mapping::{COLUMNS, RAW};
use super::plan::DecodePlan;
use super::schema::{Column, ColumnType, with_version};

/// A selection that the table cannot satisfy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ColumnError {
    /// The table has no column, or the struct no member, of that name.
    #[error("no column {name:?} in the table of tweets{}", .suggestion.as_ref().map_or_else(String::new, |like| format!(": did you mean {like:?}?")))]
    Unknown {
        /// The name as given.
        name: String,
        /// The most similar name in the table.
        suggestion: Option<String>,
    },
    /// An empty list of columns.
    #[error("no columns are selected: name at least one, or omit the list for the whole table")]
    None,
}

/// The selected columns and how to fill them. Cheap to clone; all workers share one.
#[derive(Debug, Clone)]
pub struct Projection(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) schema: SchemaRef,
    pub(super) plan: DecodePlan,
}

/// The schema of the whole table, without `raw`: all columns in order, all nullable, in the Arrow types that Spark
/// uses. The metadata contains the table's version.
pub fn schema() -> SchemaRef {
    with_version(COLUMNS.iter().map(|column| Selected::whole(column).field()).collect())
}

/// A selected column, member or item, with the selection of its own members.
#[derive(Debug)]
pub(super) struct Selected {
    pub(super) column: &'static Column,
    /// Members of a struct; the single item of a list.
    pub(super) members: Vec<Selected>,
}

impl Projection {
    /// Resolves the columns in `options`; their order is always that of the table.
    ///
    /// # Errors
    /// When a name is neither a column nor a member of one, or the list of names is empty.
    pub fn new(options: &TableOptions) -> Result<Projection, ColumnError> {
        let mut columns = match &options.columns {
            None => COLUMNS.iter().map(Selected::whole).collect(),
            Some(names) => select(COLUMNS, names)?,
        };
        if options.raw {
            columns.push(Selected::whole(&RAW));
        }
        if columns.is_empty() {
            return Err(ColumnError::None);
        }
        let schema = with_version(columns.iter().map(Selected::field).collect());
        let plan = DecodePlan::new(&columns, options.referenced);
        Ok(Projection(Arc::new(Inner { schema, plan })))
    }

    /// The schema of all batches.
    pub fn schema(&self) -> SchemaRef {
        self.0.schema.clone()
    }
}

impl Selected {
    fn whole(column: &'static Column) -> Selected {
        let members = match &column.kind {
            ColumnType::Struct(members) => members.iter().map(Selected::whole).collect(),
            ColumnType::List(item) => vec![Selected::whole(item)],
            _ => Vec::new(),
        };
        Selected { column, members }
    }

    fn data_type(&self) -> DataType {
        match &self.column.kind {
            ColumnType::Struct(_) => DataType::Struct(self.members.iter().map(Selected::field).collect()),
            ColumnType::List(_) => DataType::List(Arc::new(self.members[0].field())),
            plain => plain.plain_type(),
        }
    }

    fn field(&self) -> Field {
        Field::new(self.column.name, self.data_type(), true)
    }
}

/// Selects from `columns`; a struct keeps only the members that are named.
fn select(columns: &'static [Column], names: &[String]) -> Result<Vec<Selected>, ColumnError> {
    let names: Vec<Vec<&str>> = names.iter().map(|name| name.split('.').collect()).collect();
    for name in &names {
        check(name)?;
    }
    Ok(chosen(columns, &names.iter().map(Vec::as_slice).collect::<Vec<_>>()))
}

fn chosen(columns: &'static [Column], names: &[&[&str]]) -> Vec<Selected> {
    let each = columns.iter().filter_map(|column| {
        let rests: Vec<&[&str]> = names.iter().filter(|name| name[0] == column.name).map(|name| &name[1..]).collect();
        if rests.is_empty() {
            return None;
        }
        // The name of the column itself selects all of it.
        if rests.iter().any(|rest| rest.is_empty()) {
            return Some(Selected::whole(column));
        }
        Some(Selected::members(column, &rests))
    });
    each.collect()
}

impl Selected {
    fn members(column: &'static Column, names: &[&[&str]]) -> Selected {
        let members = match &column.kind {
            ColumnType::Struct(members) => chosen(members, names),
            // The members of a list are those of its items.
            ColumnType::List(item) => vec![Selected::members(item, names)],
            _ => unreachable!("all names have been checked"),
        };
        Selected { column, members }
    }
}

/// The members that a name may continue with.
fn inside(column: &'static Column) -> &'static [Column] {
    match &column.kind {
        ColumnType::Struct(members) => members,
        ColumnType::List(item) => inside(item),
        _ => &[],
    }
}

fn check(name: &[&str]) -> Result<(), ColumnError> {
    let mut columns = COLUMNS;
    for (depth, part) in name.iter().enumerate() {
        let Some(column) = columns.iter().find(|column| column.name == *part) else {
            let prefix = &name[..depth];
            let full = |like: &str| [prefix, &[like]].concat().join(".");
            let like = columns
                .iter()
                .map(|column| (strsim::osa_distance(column.name, part), column.name))
                .filter(|(distance, like)| *distance <= like.len().max(part.len()) / 2)
                .min();
            return Err(ColumnError::Unknown { name: name.join("."), suggestion: like.map(|(_, like)| full(like)) });
        };
        columns = inside(column);
    }
    Ok(())
}
