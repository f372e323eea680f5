//! Which columns are asked for: names and dotted members, held against the table, and the schema that comes of them.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, SchemaRef};

use super::TableOptions;
use super::mapping::{COLUMNS, RAW};
use super::plan::Plan;
use super::schema::{Column, Kind, with_version};

/// A column that the table does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ColumnError {
    /// No column, or no member, of that name.
    #[error("no column {name:?} in the table of tweets{}", .suggestion.as_ref().map_or_else(String::new, |like| format!(": did you mean {like:?}?")))]
    Unknown {
        /// The name as it was given.
        name: String,
        /// The nearest name that there is.
        suggestion: Option<String>,
    },
    /// An empty list of columns.
    #[error("no columns are asked for: name at least one, or leave the list out for the whole table")]
    None,
}

/// The columns of a table and how they are filled. Cheap to clone, and shared by all workers.
#[derive(Debug, Clone)]
pub struct Projection(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) schema: SchemaRef,
    pub(super) plan: Plan,
}

/// A chosen column, member or item, with what is chosen of its own members.
#[derive(Debug)]
pub(super) struct Selected {
    pub(super) column: &'static Column,
    /// Members of a struct; the one item of a list.
    pub(super) members: Vec<Selected>,
}

impl Projection {
    /// The columns that `options` ask for, always in the table's order.
    ///
    /// # Errors
    /// Where a name is no column and no member of one.
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
        let plan = Plan::new(&columns, options.referenced);
        Ok(Projection(Arc::new(Inner { schema, plan })))
    }

    /// The schema of every batch.
    pub fn schema(&self) -> SchemaRef {
        self.0.schema.clone()
    }
}

impl Selected {
    fn whole(column: &'static Column) -> Selected {
        let members = match &column.kind {
            Kind::Struct(members) => members.iter().map(Selected::whole).collect(),
            Kind::List(item) => vec![Selected::whole(item)],
            _ => Vec::new(),
        };
        Selected { column, members }
    }

    fn data_type(&self) -> DataType {
        match &self.column.kind {
            Kind::Struct(_) => DataType::Struct(self.members.iter().map(Selected::field).collect()),
            Kind::List(_) => DataType::List(Arc::new(self.members[0].field())),
            plain => plain.plain_type(),
        }
    }

    fn field(&self) -> Field {
        Field::new(self.column.name, self.data_type(), true)
    }
}

/// Chooses among `columns`; a struct of which members are named holds only those.
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
        // The name of the column itself asks for all of it.
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
            Kind::Struct(members) => chosen(members, names),
            // A list's members are those of its items.
            Kind::List(item) => vec![Selected::members(item, names)],
            _ => unreachable!("names are checked before"),
        };
        Selected { column, members }
    }
}

/// The members that a name may go on with.
fn inside(column: &'static Column) -> &'static [Column] {
    match &column.kind {
        Kind::Struct(members) => members,
        Kind::List(item) => inside(item),
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
