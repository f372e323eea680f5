"""A range of hours as a table of another library, which is imported when it is used."""

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cauce._native import BatchStream, Lake, _Edge


def stream(
    lake: "Lake", start: "_Edge | None", end: "_Edge | None", columns: Sequence[str] | None, closed: bool | None
) -> "BatchStream":
    """The tweets of the hours from `start` to `end` as one Arrow stream."""
    return lake.batches(lake.hours(start, end, closed=closed), columns)


def to_arrow(
    lake: "Lake", start: "_Edge | None", end: "_Edge | None", columns: Sequence[str] | None, closed: bool | None
) -> Any:
    """A `pyarrow.Table`."""
    pyarrow = _library("pyarrow", "to_arrow")
    return pyarrow.table(stream(lake, start, end, columns, closed))


def to_pandas(
    lake: "Lake", start: "_Edge | None", end: "_Edge | None", columns: Sequence[str] | None, closed: bool | None
) -> Any:
    """A `pandas.DataFrame`."""
    _library("pandas", "to_pandas")
    # pandas 2 takes no Arrow stream.
    pyarrow = _library("pyarrow", "to_pandas")
    return pyarrow.table(stream(lake, start, end, columns, closed)).to_pandas()


def to_polars(
    lake: "Lake", start: "_Edge | None", end: "_Edge | None", columns: Sequence[str] | None, closed: bool | None
) -> Any:
    """A `polars.DataFrame`."""
    polars = _library("polars", "to_polars")
    return polars.DataFrame(stream(lake, start, end, columns, closed))


def sql(
    lake: "Lake",
    query: str,
    start: "_Edge | None",
    end: "_Edge | None",
    columns: Sequence[str] | None,
    closed: bool | None,
) -> Any:
    """A `duckdb.DuckDBPyRelation`: the query's result over the view `tweets`."""
    connection = _library("duckdb", "sql").connect()
    # Without it, times are shown, and cut into days, in the zone of the machine.
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("tweets", stream(lake, start, end, columns, closed))
    return connection.sql(query)


def _library(name: str, method: str) -> Any:
    """A library, by the name that it has for pip, too.

    Raises:
        ImportError: It is missing, or cannot be imported.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise ModuleNotFoundError(f"Lake.{method} needs {name}: pip install {name}", name=name) from None
