"""Whether two contenders wrote the same cells: compare.py ONE OTHER [--except column,…], each a folder of Parquet files.

Both are brought to the projection's flat names, sorted by tweet_id, and compared cell by cell. What counts as equal: NULL and an
empty list (the tools differ in which they give where the wire has no list), and integers of any width. Answers
`{"rows", "columns", "different": {column: {"cells", "first"}}}`.
"""

import argparse
import pathlib
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from arrow_schema import PROJECTION
from jobs import answer

# Where the projection's columns are in Cauce's own table.
NESTED = {
    "author_username": ("author", "username"),
    "author_name": ("author", "name"),
    "author_followers": ("author", "followers"),
    "author_verified": ("author", "verified"),
    "retweets": ("metrics", "retweets"),
    "likes": ("metrics", "likes"),
    "replies": ("metrics", "replies"),
    "quotes": ("metrics", "quotes"),
    "place_full_name": ("place", "full_name"),
    "place_country": ("place", "country"),
}
LISTED = {"hashtags": "tag", "mentions": "username", "urls": "expanded"}


def read(folder: pathlib.Path) -> pa.Table:
    # File by file: as a data set, folders called date=… would become columns.
    tables = [flat(pq.read_table(file, partitioning=None)) for file in sorted(folder.rglob("*.parquet")) if file.is_file()]
    table = pa.concat_tables(tables).sort_by("tweet_id")
    return table.combine_chunks()


def flat(table: pa.Table) -> pa.Table:
    """The projection out of a table with flat names or with Cauce's."""
    columns = {}
    for field in PROJECTION:
        outer, *inner = NESTED.get(field.name, (field.name,)) if field.name not in table.column_names else (field.name,)
        column = table[outer].combine_chunks()
        column = pc.struct_field(column, inner) if inner else column
        if field.name in LISTED and isinstance(column.type.value_type, pa.StructType):
            member = pc.struct_field(column.flatten(), [LISTED[field.name]])
            lengths = pc.fill_null(pc.list_value_length(column), 0)
            offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths).cast(pa.int32())])
            column = pa.ListArray.from_arrays(offsets, member)
        if field.name == "created_at":
            column = column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64()).cast(pa.timestamp("us", "UTC"))
        columns[field.name] = column.cast(field.type)
    return pa.table(columns)


def different(one: pa.ChunkedArray, other: pa.ChunkedArray) -> dict[str, Any] | None:
    if one.equals(other):
        return None
    pairs = enumerate(zip(one.to_pylist(), other.to_pylist(), strict=True))
    rows = [row for row, (a, b) in pairs if a != b and not ((a is None or a == []) and (b is None or b == []))]
    return {"cells": len(rows), "first": [str(one[rows[0]]), str(other[rows[0]])]} if rows else None


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("one", type=pathlib.Path)
    parser.add_argument("other", type=pathlib.Path)
    parser.add_argument("--except", dest="left_out", default="")
    given = parser.parse_args()
    one, other = read(given.one), read(given.other)
    if one.num_rows != other.num_rows:
        answer(rows=[one.num_rows, other.num_rows], columns=0, different={"rows": {"cells": abs(one.num_rows - other.num_rows), "first": []}})
        return
    names = [name for name in PROJECTION.names if name not in given.left_out.split(",")]
    answer(rows=one.num_rows, columns=len(names), different={name: found for name in names if (found := different(one[name], other[name]))})


if __name__ == "__main__":
    main()
