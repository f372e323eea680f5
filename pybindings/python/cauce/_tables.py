"""A range of hours as a table of another library, which is imported when it is used."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cauce._native import BatchStream, Lake


def stream(lake: "Lake", start: Any, end: Any, columns: Sequence[str] | None, closed: bool | None) -> "BatchStream":
    """The tweets of the hours from `start` to `end` as one Arrow stream."""
    return lake.batches(lake.hours(start, end, closed=closed), columns)


def to_arrow(lake: "Lake", start: Any, end: Any, columns: Sequence[str] | None, closed: bool | None) -> Any:
    """A `pyarrow.Table`."""
    import pyarrow as pa

    return pa.table(stream(lake, start, end, columns, closed))


def to_pandas(lake: "Lake", start: Any, end: Any, columns: Sequence[str] | None, closed: bool | None) -> Any:
    """A `pandas.DataFrame`."""
    # By way of pyarrow, because pandas 2 knows no stream.
    return to_arrow(lake, start, end, columns, closed).to_pandas()


def to_polars(lake: "Lake", start: Any, end: Any, columns: Sequence[str] | None, closed: bool | None) -> Any:
    """A `polars.DataFrame`."""
    import polars as pl

    return pl.DataFrame(stream(lake, start, end, columns, closed))


def sql(lake: "Lake", query: str, start: Any, end: Any, columns: Sequence[str] | None, closed: bool | None) -> Any:
    """A `duckdb.DuckDBPyRelation`: the query's answer over the view `tweets`."""
    import duckdb

    connection = duckdb.connect()
    # Otherwise times are shown, and cut into days, in the zone of whoever asks.
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("tweets", stream(lake, start, end, columns, closed))
    return connection.sql(query)
