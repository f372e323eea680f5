"""The methods of the native classes that are written in Python. `cauce` puts them there when it is imported.

They call libraries that release the interpreter while they read a stream of the module's, which does not go well with
native code of the module below them on the stack. Each imports what it needs when it is called, so that an import of
`cauce` stays light.
"""

from cauce._native import BatchStream, Hour, Lake, Lines, Records

TYPE_CHECKING = False  # an import of typing would cost more than all of this
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from typing import Any

    from cauce._native import Batch, _Edge

# Lines that one change of threads brings to a reader with `async for`; it costs as much as some hundred lines do.
LINES_AT_ONCE = 1000


def to_arrow(
    self: Lake,
    start: "_Edge | None" = None,
    end: "_Edge | None" = None,
    columns: "Sequence[str] | None" = None,
    *,
    closed: bool | None = None,
) -> "Any":
    """Read the tweets of the hours from `start` to `end`, which is not included, as a `pyarrow.Table`."""
    from cauce import _tables

    return _tables.to_arrow(self, start, end, columns, closed)


def to_pandas(
    self: Lake,
    start: "_Edge | None" = None,
    end: "_Edge | None" = None,
    columns: "Sequence[str] | None" = None,
    *,
    closed: bool | None = None,
) -> "Any":
    """Read the tweets of the hours from `start` to `end`, which is not included, as a `pandas.DataFrame`."""
    from cauce import _tables

    return _tables.to_pandas(self, start, end, columns, closed)


def to_polars(
    self: Lake,
    start: "_Edge | None" = None,
    end: "_Edge | None" = None,
    columns: "Sequence[str] | None" = None,
    *,
    closed: bool | None = None,
) -> "Any":
    """Read the tweets of the hours from `start` to `end`, which is not included, as a `polars.DataFrame`."""
    from cauce import _tables

    return _tables.to_polars(self, start, end, columns, closed)


def sql(
    self: Lake,
    query: str,
    start: "_Edge | None" = None,
    end: "_Edge | None" = None,
    columns: "Sequence[str] | None" = None,
    *,
    closed: bool | None = None,
) -> "Any":
    """Run a query of DuckDB over the tweets of these hours, which are its view `tweets`; times are UTC."""
    from cauce import _tables

    return _tables.sql(self, query, start, end, columns, closed)


def storage_options(self: Lake, library: str = "polars") -> "Any":
    """Give what `polars`, `obstore`, `fsspec` or `duckdb` needs to read `Hour.urls`, **the lake's keys included**."""
    from cauce import _storage

    return _storage.options(library, self._s3())


def lake_html(self: Lake) -> str:
    """Show a calendar of the newest days in a notebook."""
    from cauce import _html

    return _html.lake(self)


def hour_html(self: Hour) -> str:
    """Show its figures and objects in a notebook."""
    from cauce import _html

    return _html.hour(self)


def lines_async(self: Lines) -> "AsyncIterator[bytes]":
    """Read them in an event loop."""
    from cauce._async import ReadAhead

    return ReadAhead(self, LINES_AT_ONCE)


def records_async(self: Records) -> "AsyncIterator[dict[str, Any]]":
    """Read them in an event loop."""
    from cauce._async import ReadAhead

    return ReadAhead(self, LINES_AT_ONCE)


def batches_async(self: BatchStream) -> "AsyncIterator[Batch]":
    """Read them in an event loop."""
    from cauce._async import ReadAhead

    return ReadAhead(self, 1)


METHODS: "dict[type, dict[str, Any]]" = {
    Lake: {
        "to_arrow": to_arrow,
        "to_pandas": to_pandas,
        "to_polars": to_polars,
        "sql": sql,
        "storage_options": storage_options,
        "_repr_html_": lake_html,
    },
    Hour: {"_repr_html_": hour_html},
    Lines: {"__aiter__": lines_async},
    Records: {"__aiter__": records_async},
    BatchStream: {"__aiter__": batches_async},
}


def put() -> None:
    """Put the methods on their classes."""
    for owner, methods in METHODS.items():
        for name, method in methods.items():
            method.__name__, method.__qualname__, method.__module__ = name, f"{owner.__name__}.{name}", "cauce"
            setattr(owner, name, method)
