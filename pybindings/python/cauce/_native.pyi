"""The compiled part of cauce. Import these names from `cauce`."""

import io
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import date, datetime
from os import PathLike
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias, TypedDict, Unpack, final, overload

from _typeshed import WriteableBuffer

from cauce._convert import Progress, Summary

__all__ = [
    "Batch",
    "BatchStream",
    "Batches",
    "Blocks",
    "Hour",
    "Lake",
    "LakeOptions",
    "Lines",
    "Object",
    "Records",
    "Reject",
    "Schema",
    "Store",
    "StoredObject",
    "__version__",
    "_ddl",
    "_lake_options",
    "_restore_hour",
    "convert",
    "schema",
]

__version__: str

_When: TypeAlias = datetime | str | Hour
"""An hour: a datetime (a naive one is UTC), a text such as `2026-11-22T05`, or an `Hour`."""

_Edge: TypeAlias = date | str | Hour
"""Where a range begins or ends: as `When`, or a date, which is its first hour."""

_OnError: TypeAlias = Literal["raise", "skip", "collect"]

_Gap = TypedDict(
    "_Gap",
    {"from": str, "to": str | None, "cause": str, "repaired_by": str | None, "tweets": int},
)
"""A span in which the source was not connected, as it stands in the manifest; `to` is `None` while it is open."""

class _Stats(TypedDict):
    """What a reading has come to so far."""

    rows: int
    """Rows given."""
    lines: int
    """Lines read."""
    tweets: int
    """Lines that were tweets."""
    messages: int
    """Messages about tweets: deletes, withheld, scrub_geo; PowerTrack's info and error."""
    controls: int
    """Control messages: limit, warning, disconnect, errors without data."""
    blanks: int
    """Blank lines."""
    rejects: int
    """Lines that gave no row though they should have."""
    bytes: int
    """Decoded bytes, newlines included."""

class _S3Settings(TypedDict, total=False):
    """Settings of S3; docs/configuration.md, section `[lake.s3]`, says what each does.

    What is not given comes from its variable, `CAUCE_LAKE__S3__REGION` for `region`; then from AWS's chain.
    """

    endpoint_url: str | None
    """Another S3 server than AWS's."""
    region: str | None
    """Region of the bucket."""
    path_style: bool | str | None
    """Bucket in the path instead of the host name; default: true where `endpoint_url` is set."""
    access_key_id: str | None
    """A key, with `secret_access_key` and, if it is temporary, `session_token`; instead of AWS's chain."""
    secret_access_key: str | None
    """The key's secret."""
    session_token: str | None
    """The temporary key's token."""
    request_payer: bool | str | None
    """Accept that the sender of a request pays for it."""
    storage_class: str | None
    """Storage class of objects that are put, but of none whose name has a part that begins with `_`."""
    sse: Literal["AES256", "aws:kms"] | None
    """Encryption by the server."""
    sse_kms_key_id: str | None
    """Key of AWS's KMS, with `aws:kms`."""
    tags: dict[str, str] | str | None
    """Tags of objects that are put, as for `storage_class`: `{"team": "data"}` or `team=data`."""
    acl: str | None
    """Canned ACL of objects that are put."""
    checksum: Literal["CRC64NVME", "CRC32", "CRC32C", "SHA256"] | None
    """Checksum that goes along with a put."""
    accelerate: bool | str | None
    """Send requests by S3's transfer acceleration."""
    max_attempts: int | str | None
    """How often a request is sent at most."""
    retry_timeout: float | str | None
    """How long a failing request is repeated, in seconds or as `30s`."""

class _LakeSettings(_S3Settings, total=False):
    """Settings of a lake, and those of S3; docs/configuration.md, section `[lake]`, says what each does."""

    pattern: str | None
    """How its folders are named; `%m-%d-%h` where nothing says it."""
    time_zone: str | None
    """The IANA zone in which its folders are named; UTC where nothing says it."""
    flume_escapes: Literal["cauce", "strict"] | None
    """`cauce` (`%h` is the hour) or `strict` (Flume's own rules)."""

@final
class LakeOptions:
    """The settings of a lake and of S3, checked, as one value to hand on: `cauce.Lake(url, options=options)`.

    What is not given comes from variables, as for `cauce.Lake`. It holds no address, opens no connection, is hashable,
    and is pickled **without keys**: who opens the pickle takes credentials from its own environment.

    Args:
        settings: As for `cauce.Lake`.

    Raises:
        ConfigError: A setting cannot be used.
        TypeError: There is no such setting, or its value has the wrong type.
    """

    def __new__(cls, **settings: Unpack[_LakeSettings]) -> Self: ...
    @staticmethod
    def known() -> list[tuple[str, str, str]]:
        """Tell which settings there are: name, kind and meaning of each.

        A kind is `text`, `secret`, `switch`, `count`, `duration` or `choice`.
        """

    @property
    def settings(self) -> dict[str, str]:
        """What was given or came from variables, as texts; without keys."""

    def __reduce__(self) -> tuple[Any, ...]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Store:
    """The objects under a URL: a bucket and prefix, or a folder. For tasks that read and write files of their own.

    It is the client that reads lakes: credentials, endpoint and errors are the same. What is not given comes from the
    same variables (`CAUCE_LAKE__S3__…`, then AWS's own chain). Making one opens no connection. It may be shared by
    threads, crosses a fork, and is pickled **without keys**.

    Args:
        url: `s3://bucket/prefix` or a folder. A folder is made when something is first written to it.
        options: Settings as one value; those by name stand over it.
        settings: `endpoint_url`, `region`, `access_key_id` and what else section `[lake.s3]` of docs/configuration.md
            names.

    Raises:
        ConfigError: A setting cannot be used.
        TypeError: There is no such setting, or its value has the wrong type.
    """

    def __new__(
        cls,
        url: str | PathLike[str],
        *,
        options: LakeOptions | None = None,
        **settings: Unpack[_S3Settings],
    ) -> Self: ...
    @property
    def url(self) -> str:
        """The URL, without keys."""

    def list(self, prefix: str = "") -> list[StoredObject]:
        """List the objects whose keys begin with `prefix`, ordered by key: one request for a thousand of them."""

    def head(self, key: str) -> StoredObject:
        """Look an object up without reading it.

        Raises:
            ObjectNotFound: There is none.
        """

    def exists(self, key: str) -> bool:
        """Whether this very object is there: one request.

        Raises:
            AccessDenied: The credentials may not tell: without `s3:ListBucket`, S3 answers so for a missing object.
        """

    def read(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """Read an object, or `length` bytes of it from `offset` on; fewer where it ends before.

        Raises:
            ObjectNotFound: There is none.
        """

    def open(self, key: str) -> io.BufferedReader:
        """Open an object as a file with `seek`, for `pyarrow.parquet`, `zipfile` and the like.

        Reads ask for ranges. A read of an object that was replaced since raises `CorruptObject`.

        Raises:
            ObjectNotFound: There is none.
        """

    def put(
        self,
        key: str,
        data: bytes | bytearray | memoryview | PathLike[str],
        *,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> str:
        """Write an object; a reader sees all of it or nothing.

        Args:
            key: Its name under the URL.
            data: Its content, or a path to the file that holds it. A large file goes up in parts.
            if_absent: Only where nothing is.
            if_match: Only over the object that has this tag.

        Returns:
            The tag of what was written.

        Raises:
            AlreadyThere: The condition does not hold.
        """

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens where there is none."""

    def _read_range(self, key: str, etag: str, offset: int, length: int) -> bytes: ...
    def _version(self, key: str) -> tuple[int, str]: ...
    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class StoredObject:
    """What a store says of one object."""

    @property
    def key(self) -> str:
        """Name under the store's URL."""

    @property
    def bytes(self) -> int:
        """Length."""

    @property
    def etag(self) -> str:
        """Tag of the content, for `if_match`; one of a listing of a folder only serves to notice a change."""

    @property
    def modified(self) -> datetime:
        """When it was written, in UTC, to the second in S3."""

@final
class Lake:
    """One or several lakes, read as one.

    Making one opens no connection. It may be shared by threads, crosses a fork, and is pickled as what it was made of,
    **without keys**:
    who opens the pickle takes credentials from its own environment.

    What is not given comes from the variable `CAUCE_LAKE__URL` or the setting's own, such as `CAUCE_LAKE__PATTERN` and
    `CAUCE_LAKE__S3__REGION`; credentials and region after that from AWS's own chain.

    Args:
        url: `s3://bucket/prefix`, a folder, or several of either, read as one lake in which an hour is closed when it
        is closed in
            each.
        options: Settings as one value; those by name stand over it.
        settings: `pattern`, `time_zone`, `flume_escapes`, and those of S3: `endpoint_url`, `region`, `access_key_id`
            and what else docs/configuration.md names.
        concurrency: Requests at once while reading; found out where it is not given.
        memory_bytes: Most bytes that are fetched ahead of a reader; 64 MiB where it is not given.
        timeout: Longest time, in seconds, without a byte of an object that is being read; 20 where it is not given.

    Raises:
        ConfigError: When the settings cannot be used.
        TypeError: There is no such setting, or its value has the wrong type.

    """

    def __new__(
        cls,
        url: str | PathLike[str] | Iterable[str | PathLike[str]] | None = None,
        *,
        options: LakeOptions | None = None,
        concurrency: int | None = None,
        memory_bytes: int | None = None,
        timeout: float | None = None,
        **settings: Unpack[_LakeSettings],
    ) -> Self: ...
    @property
    def urls(self) -> list[str]:
        """Where it is; folders are absolute."""

    @property
    def options(self) -> LakeOptions:
        """How it is read: to reach other things as it is reached, `cauce.Store(url, options=lake.options)`."""

    @property
    def pattern(self) -> str:
        """How its folders are named."""

    @property
    def time_zone(self) -> str:
        """The zone in which its folders are named."""

    def hours(self, start: _Edge | None = None, end: _Edge | None = None, closed: bool | None = None) -> list[Hour]:
        """List the hours from `start` to `end`, which is not included, oldest first.

        Closed ones come from their manifests, open ones from one sweep of the listing. With `closed` only those that
        are, or are
        not. An hour whose manifest cannot be trusted is left out with a `LakeWarning`.
        """

    def closed(self, hours: Iterable[_When]) -> set[Any]:
        """Say which of these hours are closed: a set of the very objects that were given.

        Only lists `_hours/`, however many hours are asked for.
        """

    def hour(self, when: _When) -> Hour:
        """Look one hour up: the one that holds the instant.

        Raises:
            HourNotFound: There is nothing of it.
            CorruptObject: Its manifest cannot be trusted.

        """

    def lines(self, hours: Iterable[_When] | _When, *, late: bool = False) -> Lines:
        """Read the lines of several hours, one after the other, ahead over their borders. See `Hour.lines`."""

    def records(
        self,
        hours: Iterable[_When] | _When,
        *,
        fields: Sequence[str] | None = None,
        on_error: _OnError = "raise",
        late: bool = False,
    ) -> Records:
        """Read the records of several hours. See `Hour.records`."""

    def batches(
        self,
        hours: Iterable[_When] | _When,
        columns: Sequence[str] | None = None,
        batch_rows: int = 10_000,
        referenced: bool = False,
        *,
        raw: bool = False,
        late: bool = False,
    ) -> BatchStream:
        """Read the tweets of several hours as one Arrow stream. See `Hour.batches`."""

    def to_arrow(
        self,
        start: _Edge | None = None,
        end: _Edge | None = None,
        columns: Sequence[str] | None = None,
        *,
        closed: bool | None = None,
    ) -> Any:
        """Read the tweets of the hours from `start` to `end`, which is not included, as a `pyarrow.Table`.

        Args:
            start: As for `hours`.
            end: As for `hours`.
            columns: Only these columns, members of structs with a dot (`author.username`). It saves most of the time.
            closed: Only closed hours, or only open ones.

        Raises:
            ImportError: pyarrow is missing.
            ValueError: There is no such column.
        """

    def to_pandas(
        self,
        start: _Edge | None = None,
        end: _Edge | None = None,
        columns: Sequence[str] | None = None,
        *,
        closed: bool | None = None,
    ) -> Any:
        """Read them as a `pandas.DataFrame`, by way of pyarrow. Arguments and errors are those of `to_arrow`."""

    def to_polars(
        self,
        start: _Edge | None = None,
        end: _Edge | None = None,
        columns: Sequence[str] | None = None,
        *,
        closed: bool | None = None,
    ) -> Any:
        """Read them as a `polars.DataFrame`. Arguments and errors are those of `to_arrow`."""

    def sql(
        self,
        query: str,
        start: _Edge | None = None,
        end: _Edge | None = None,
        columns: Sequence[str] | None = None,
        *,
        closed: bool | None = None,
    ) -> Any:
        """Run a query of DuckDB over the tweets of these hours, which are its view `tweets`.

        Each call has a database of its own, in memory, whose time zone is UTC. All columns are decoded that `columns`
        does not leave out, whichever the query names.

        Args:
            query: A statement, such as `select lang, count(*) from tweets group by lang`.
            start: As for `hours`.
            end: As for `hours`.
            columns: As for `to_arrow`.
            closed: Only closed hours, or only open ones.

        Returns:
            A `duckdb.DuckDBPyRelation`, with `fetchall()`, `df()`, `pl()` and the like. The hours are read when it is
            asked for rows, and anew each time.

        Raises:
            ImportError: DuckDB is missing.
        """

    @overload
    def storage_options(self, library: Literal["polars", "obstore"] = "polars") -> dict[str, str]: ...
    @overload
    def storage_options(self, library: Literal["fsspec"]) -> dict[str, Any]: ...
    @overload
    def storage_options(self, library: Literal["duckdb"]) -> str:
        """Give what another library needs to read the lake's objects by `Hour.urls`.

        **Keys that the lake was given are in it**: keep it out of logs. Where the lake was given none, the library
        looks for them itself: in AWS's variables and, as far as it can, profiles and roles.

        Args:
            library: `polars` for `storage_options=` of Polars, `obstore` for the keywords of its stores, `fsspec` for
                those of s3fs, `duckdb` for a `create secret` statement.

        Raises:
            ValueError: It is none of these.
        """

    def _s3(self) -> dict[str, Any]: ...
    def _listing(self, range: str | None = None) -> tuple[list[Hour], list[tuple[str, bool]], str | None]: ...
    def _repr_html_(self) -> str:
        """Show a calendar of the newest days in a notebook. It lists their hours."""

    def __getnewargs_ex__(self) -> tuple[tuple[list[str]], dict[str, Any]]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Hour:
    """An hour of a lake, or a folder that is none, as it was when it was looked up.

    Of a closed hour nothing changes any more. A pickle carries its lake and its name, so whoever opens it looks it up
    anew when it is first used.
    """

    @property
    def lake(self) -> Lake:
        """Its lake."""

    @property
    def name(self) -> str:
        """`2026-11-22T05`; what is no hour is called by what its folder names."""

    @property
    def start(self) -> datetime | None:
        """Its first moment, aware, in UTC; `None` where the folder's name tells no time."""

    @property
    def end(self) -> datetime | None:
        """The first moment after it."""

    @property
    def granularity(self) -> str:
        """`hour`, `day` or `other`. Only hours close."""

    @property
    def closed(self) -> bool:
        """Whether nothing of it will change any more."""

    @property
    def objects(self) -> tuple[Object, ...]:
        """The objects that hold its tweets, in the order in which they are read; late ones are not among them."""

    @property
    def late_objects(self) -> tuple[Object, ...]:
        """The objects that hold its late tweets, as its late manifests list them."""

    @property
    def tweets(self) -> int | None:
        """Tweets in its objects; `None` while it is open."""

    @property
    def bytes(self) -> int:
        """Length of its objects as stored."""

    @property
    def late(self) -> int:
        """Tweets that came after it was closed."""

    @property
    def rejects(self) -> int:
        """Lines of it that were kept apart as rejects, as its manifests count them; 0 while it is open."""

    @property
    def undelivered(self) -> int:
        """Tweets that a v1.1 stream says it left out, as its manifests count them; 0 while it is open."""

    @property
    def message_counts(self) -> dict[str, int]:
        """Messages of it by kind (`delete`, `limit`, `errors`, …); empty while it is open."""

    @property
    def gaps(self) -> list[_Gap]:
        """Spans without a connection that touch it."""

    @property
    def manifest(self) -> dict[str, Any] | None:
        """Its manifest as it stands in the store, fetched where that has not been done; `None` while it is open.

        Of several lakes read as one it is the first one's.
        """

    def lines(self, *, objects: Sequence[str] | None = None, late: bool = False) -> Lines:
        """Read its lines as `bytes` without the newline, decompressed, in constant memory.

        Lines are split at the line feed alone. With `objects` only those of the objects with these keys or URLs; with
        `late` those of its late tweets instead.

        Raises:
            ValueError: It has no such object.

        """

    def records(
        self, fields: Sequence[str] | None = None, on_error: _OnError = "raise", *, late: bool = False
    ) -> Records:
        """Read its lines as `dict`.

        Args:
            fields: Only these top-level members, which spares the work for the others.
            on_error: What is done with a line that is no JSON object: `raise` a `CorruptRecord`, `skip` it, or
            `collect` it in
                `Records.rejects`. Blank lines are passed over.
            late: The late tweets instead.

        """

    def batches(
        self,
        columns: Sequence[str] | None = None,
        batch_rows: int = 10_000,
        referenced: bool = False,
        *,
        raw: bool = False,
        objects: Sequence[str] | None = None,
        late: bool = False,
    ) -> BatchStream:
        """Read its tweets as an Arrow stream, which pyarrow, polars, duckdb and pandas take.

        Args:
            columns: Only these columns, members of structs with a dot (`author.username`), in the table's order.
            batch_rows: About so many rows a batch.
            referenced: Rows also for the posts that a line brings along: retweeted, quoted, answered.
            raw: A last column `raw` with the line itself.
            objects: Only the objects with these keys or URLs, in the hour's order.
            late: The late tweets instead.

        Raises:
            ValueError: There is no such column, or it has no such object.

        """

    def open(self, *, late: bool = False) -> io.BufferedReader:
        """Open its objects as one binary file, decompressed. An object that lacks its last newline gets one."""

    def urls(self, *, late: bool = False) -> list[str]:
        """Give the URLs or paths of its objects, or with `late` of its late ones, for other libraries to read.

        `Lake.storage_options` has what these libraries need to reach S3. Objects may be compressed: `Object.codec`.
        """

    def _repr_html_(self) -> str:
        """Show its figures and objects in a notebook."""

    def __reduce__(self) -> tuple[Any, ...]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Object:
    """An object of an hour."""

    @property
    def key(self) -> str:
        """Its name under the lake's root."""

    @property
    def url(self) -> str:
        """Where it is: a URL, or the path of a file."""

    @property
    def bytes(self) -> int:
        """Length as stored."""

    @property
    def codec(self) -> str:
        """`none`, `gzip` or `zstd`."""

    @property
    def lines(self) -> int | None:
        """Lines in it; only a manifest knows."""

@final
class Lines:
    """An iterator over lines. Several threads may share it; leaving its `with` block ends its requests."""

    def __iter__(self) -> Self: ...
    def __aiter__(self) -> AsyncIterator[bytes]:
        """For `async for` in asyncio: a thread of the loop's executor waits for 1,000 lines at a time.

        Lines that were fetched and not given when the loop is left are lost.
        """

    def __next__(self) -> bytes: ...
    def close(self) -> None:
        """End the reading; after that there are no more lines."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None, /
    ) -> None: ...

@final
class Records:
    """An iterator over records. Several threads may share it; leaving its `with` block ends its requests."""

    def __iter__(self) -> Self: ...
    def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        """For `async for`, as that of `Lines`."""

    def __next__(self) -> dict[str, Any]: ...
    @property
    def rejected(self) -> int:
        """How many lines were no records so far; always 0 with `on_error="raise"`."""

    @property
    def rejects(self) -> list[Reject]:
        """The lines that were no records so far, with `on_error="collect"`."""

    def close(self) -> None:
        """End the reading; after that there are no more records."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None, /
    ) -> None: ...

@final
class Reject:
    """A line that could not be read."""

    @property
    def key(self) -> str:
        """The object's name under the lake's root."""

    @property
    def line(self) -> int:
        """The line in it, counted from 1."""

    @property
    def offset(self) -> int:
        """Decoded bytes of the object before it."""

    @property
    def reason(self) -> str:
        """What is wrong with it."""

    @property
    def bytes(self) -> bytes:
        """The line; of one that was to be a row at most its first 64 KiB."""

@final
class BatchStream:
    """Tweets to be read as Arrow: what is to be read, not the reading.

    Each loop over it, and each consumer of `__arrow_c_stream__`, begins a reading of its own. `requested_schema` is not
    followed: the stream has the schema of the table.
    """

    @property
    def schema(self) -> Schema:
        """The schema of every batch."""

    @property
    def stats(self) -> _Stats:
        """What the reading that was begun last has come to so far."""

    @property
    def rejects(self) -> list[Reject]:
        """The first 1,000 lines of that reading that gave no row though they should have."""

    def __iter__(self) -> Batches: ...
    def __aiter__(self) -> AsyncIterator[Batch]:
        """For `async for` in asyncio: a thread of the loop's executor waits for each batch."""

    def __arrow_c_schema__(self) -> object: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

@final
class Batches:
    """An iterator over batches. Several threads may share it; leaving its `with` block ends its requests."""

    def __iter__(self) -> Self: ...
    def __next__(self) -> Batch: ...
    def close(self) -> None:
        """End the reading; after that there are no more batches."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None, /
    ) -> None: ...

@final
class Batch:
    """Some rows, for whatever takes `__arrow_c_array__`, such as `pyarrow.record_batch`."""

    @property
    def num_rows(self) -> int:
        """How many rows."""

    @property
    def num_columns(self) -> int:
        """How many columns."""

    @property
    def schema(self) -> Schema:
        """Its schema."""

    def __len__(self) -> int: ...
    def __arrow_c_schema__(self) -> object: ...
    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]: ...

@final
class Schema:
    """The columns of a table, for whatever takes `__arrow_c_schema__`, such as `pyarrow.schema`."""

    @property
    def names(self) -> list[str]:
        """The columns' names."""

    def __len__(self) -> int: ...
    def __arrow_c_schema__(self) -> object: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

def schema(columns: Sequence[str] | None = None, *, raw: bool = False) -> Schema:
    """Tell the schema of the tweets table, without any lake.

    Raises:
        ValueError: There is no such column.

    """

def convert(
    lake: Lake,
    hours: Iterable[_When] | _When | None,
    url: str | PathLike[str],
    *,
    progress: Callable[[Progress], object] | None = None,
    columns: Sequence[str] | None = None,
    referenced: bool = False,
    raw: bool = False,
    compression: str = "zstd",
    row_group_rows: int = 122_880,
    open: bool = False,
    late: bool = False,
    replace: bool = False,
    without_deleted: bool = False,
    messages_until: _When | None = None,
    jobs: int = 2,
    threads: int | None = None,
    temp_dir: str | PathLike[str] | None = None,
    rejects: str | PathLike[str] | None = None,
    skip_archived: bool = False,
) -> Summary:
    """Convert hours to Parquet, one object an hour: `date=YYYY-MM-DD/hour=HH/tweets.parquet` under `url`.

    What is there already, of the same source and options, is left as it is. What the callback raises, or Ctrl-C, ends
    the conversion; hours that are not done leave nothing behind.

    Args:
        lake: The lake.
        hours: Which hours, or ranges such as `2026-11-22T00..2026-11-23T00`, the end not included; `None` is every
            closed one that is not converted yet.
        url: `s3://bucket/prefix` or a folder, outside the lake; reached as the lake is.
        progress: Told how far it is, at most ten times a second and after each hour, in the thread that called.
        columns: Only these columns, members of structs with a dot.
        referenced: Rows also for the posts that a line brings along.
        raw: A last column `raw` with the line itself.
        compression: `zstd`, `zstd:1` to `zstd:22`, or `none`.
        row_group_rows: Most rows in a row group.
        open: Open hours too, and folders that are no hours, split by the time of their tweets.
        late: Late tweets too.
        replace: Make anew what is there already.
        without_deleted: Leave out tweets that were deleted.
        messages_until: The last hour whose deletes are considered.
        jobs: Hours on their way at once; each takes memory of its own.
        threads: Threads that decode and encode; as many as there are processors where it is not given.
        temp_dir: Where a file grows before it is put; without it, in the target where that is a local folder, else
            where Python's `tempfile` puts files.
        rejects: Where the lines go that did not read, `date=YYYY-MM-DD/hour=HH.jsonl`; without it, beside `url`:
            `pq-rejects` beside `pq`. Only an hour that has such lines, into the root of a bucket, needs it.
        skip_archived: Leave out hours of which an object is archived (S3 Glacier), and tell them in `Summary.archived`
            instead of raising for them.

    Raises:
        ConfigError: The Parquet, its rejects or the lake would share a root.
        ConvertFailed: Some hours failed, such as one with an archived object; the others are converted, and `summary`
            tells what became of each.
    """

@final
class Blocks:
    """The bytes of hours for `cauce._file`."""

    def readinto(self, buffer: WriteableBuffer) -> int: ...
    def read(self) -> bytes: ...
    def close(self) -> None: ...

def _ddl(
    dialect: str, url: str, columns: Sequence[str] | None = None, *, referenced: bool = False, raw: bool = False
) -> str: ...
def _restore_hour(lake: Lake, name: str, span_ms: tuple[int, int] | None, granularity: str) -> Hour: ...
def _lake_options(caller: str, settings: dict[str, Any]) -> LakeOptions: ...
