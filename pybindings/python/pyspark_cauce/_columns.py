"""Between Spark's schema and the table's columns: what to read, and batches in exactly the schema that Spark was told.

Spark compares the first batch with its schema and trusts the rest: order, types and names must be right to the last
member.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cauce
import pyarrow as pa
from pyspark.sql.pandas.types import from_arrow_schema, from_arrow_type, to_arrow_schema
from pyspark.sql.types import ArrayType, DataType, StructType

RAW = "raw"


def all_columns(raw: bool) -> StructType:
    """The whole table as Spark calls it."""
    return from_arrow_schema(pa.schema(cauce.schema(raw=raw)))


@dataclass(frozen=True)
class Columns:
    """The columns to be read. Crosses to the executors as plain data."""

    # As `cauce` takes them, members of structs with a dot.
    names: tuple[str, ...]
    raw: bool
    spark: StructType

    @classmethod
    def of(cls, schema: StructType) -> "Columns":
        """What a schema names.

        Raises:
            ValueError: It names a column or a member that the table does not have, or with another type.
        """
        if not schema.fields:
            raise ValueError("the schema names no column: leave it away for all of them")
        _check_once(schema, "column")
        names = tuple(
            name for field in schema.fields if field.name.lower() != RAW for name in _leaves(field.name, field.dataType)
        )
        columns = cls(names, any(name.lower() == RAW for name in schema.fieldNames()), schema)
        there = pa.schema(cauce.schema(list(names), raw=columns.raw))
        for field in columns.arrow():
            _check(field.name, there.field(field.name.lower()).type, field)
        return columns

    def arrow(self) -> Any:
        """The schema in which Spark wants its batches."""
        return to_arrow_schema(self.spark, timezone="UTC")


def _check_once(kind: StructType, what: str) -> None:
    """Refuses a name that stands twice, in whatever case.

    Raises:
        ValueError: One does.
    """
    names = [name.lower() for name in kind.fieldNames()]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"the schema names {what} {twice} twice: once will do")


def _leaves(name: str, kind: DataType) -> Iterator[str]:
    """The columns of the table that a field names; the table's own names are all in small letters."""
    inner = kind.elementType if isinstance(kind, ArrayType) else kind
    if not isinstance(inner, StructType):
        yield name.lower()
        return
    _check_once(inner, f"a member of {name}:")
    for member in inner.fields:
        yield from _leaves(f"{name}.{member.name}", member.dataType)


def _check(name: str, there: Any, wanted: Any) -> None:
    """Holds a column that is there against the one that was asked for, member by member.

    Raises:
        ValueError: The types differ.
    """
    kind = wanted.type
    if pa.types.is_list(there) and pa.types.is_list(kind):
        _check(name, there.value_type, kind.value_field)
    elif pa.types.is_struct(there) and pa.types.is_struct(kind):
        for member in kind:
            _check(f"{name}.{member.name}", there.field(member.name.lower()).type, member)
    elif there != kind:
        table, schema = (from_arrow_type(each).simpleString() for each in (there, kind))
        raise ValueError(
            f"column {name} is {table} and not {schema}: name it with its own type, and cast what was read"
        )
    if not wanted.nullable:
        raise ValueError(f"column {name} may be null: leave NOT NULL out of the schema")


def fitted(batch: Any, schema: Any) -> Any:
    """The batch with its columns and their members in the schema's order and by its names, which may be in any case.

    Nothing is copied where they are so already.
    """
    if batch.schema.equals(schema):
        return batch
    return pa.RecordBatch.from_arrays(
        [_fitted(batch.column(field.name.lower()), field.type) for field in schema], schema=schema
    )


def _fitted(array: Any, kind: Any) -> Any:
    if array.type.equals(kind):
        return array
    if pa.types.is_struct(kind):
        members = [_fitted(array.field(member.name.lower()), member.type) for member in kind]
        return pa.StructArray.from_arrays(members, fields=list(kind), mask=array.is_null())
    # Batches come from their first row on, so that offsets and validity may be taken as they are.
    values = _fitted(array.values, kind.value_type)
    return pa.ListArray.from_arrays(array.offsets, values, type=kind, mask=array.is_null())
