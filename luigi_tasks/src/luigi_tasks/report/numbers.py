"""The numbers of a report: what is counted over the Parquet of its hours, and how.

One pass over the files takes only the columns that are needed into a DuckDB file, which is then asked; memory stays bounded, since DuckDB
spills to disk. No picture and no HTML here. What each number means is said where it is counted; `to_json` writes all of them.
"""

import datetime as dt
import itertools
import json
import pathlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

# Rows of a ranking. More than that nobody reads in a chart.
TOP = 12
# Upper ends, in seconds, of the groups that the lag from `created_at` to `received_at` is counted in; the last has none.
LAG_ENDS = (1, 2, 5, 10, 30, 60, 300, 3600, 86400)

# The leaves of the tweets table that are read; everything else stays where it is.
_LEAVES = {
    "role": (),
    "created_at": (),
    "received_at": (),
    "lang": (),
    "tweet_type": (),
    "author_id": (),
    "author": ("username",),
    "hashtags": ("tag",),
    "mentions": ("username",),
    "urls": ("url", "expanded", "unwound"),
}

_TABLE = """
create table tweets (
    hour timestamp, created timestamptz, lang varchar, kind varchar, author bigint, username varchar,
    hashtags varchar[], mentions varchar[], domains varchar[], lag_us bigint
)
"""

# A domain is the host of where a link leads: without what a shortener hides, the port and a leading www.
_LOAD = r"""
insert into tweets
select
    ?, created_at, lang, tweet_type, author_id, author.username,
    [h.tag for h in hashtags if h.tag is not null],
    [m.username for m in mentions if m.username is not null],
    [d for d in [
        regexp_replace(regexp_extract(lower(coalesce(u.unwound, u.expanded, u.url)), '^[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?([^/?#:]+)', 1),
                       '^www\.', '')
        for u in urls] if d <> ''],
    epoch_us(received_at) - epoch_us(created_at)
from batches
where role = 'matched'
"""

# Upper and lower case of a tag or a name are the same to X. The spelling that is used most is shown.
_RANKING = """
with spelled as (select lower(label) as folded, label, count(distinct tweet) as tweets
                 from (select rowid as tweet, unnest({column}) as label from tweets) group by all),
     total as (select folded, count(distinct tweet) as tweets
               from (select rowid as tweet, lower(unnest({column})) as folded from tweets) group by all),
     shown as (select folded, label from spelled qualify row_number() over (partition by folded order by tweets desc, label) = 1)
select label, total.tweets from total join shown using (folded) order by total.tweets desc, folded limit {top}
"""

# The name under which an author was seen last; an author without one is shown by id.
_AUTHORS = """
select coalesce(arg_max(username, created), author::varchar) as label, count(*) as tweets
from tweets where author is not null group by author order by tweets desc, author limit {top}
"""


@dataclass(frozen=True)
class Ranked:
    """A label and in how many tweets it is."""

    label: str
    tweets: int


@dataclass(frozen=True)
class Ranking:
    """The most frequent labels, how many different ones there are, and how many tweets have any."""

    top: list[Ranked]
    different: int
    tweets: int


@dataclass(frozen=True)
class HourCount:
    """One hour of the range. `tweets` is None where the hour is not closed: nobody knows yet."""

    hour: str
    tweets: int | None
    gap_seconds: float = 0.0
    rejects: int = 0  # lines that the agent kept apart, as the hour's manifests count them
    undelivered: int = 0  # tweets that a v1.1 stream says it left out


@dataclass(frozen=True)
class Lag:
    """From `created_at` to `received_at`, in seconds, over the tweets that have both."""

    known: int
    early: int  # received before they were created: a clock is wrong
    groups: list[int]  # by LAG_ENDS, and one more
    median: float | None = None
    p90: float | None = None
    p99: float | None = None
    largest: float | None = None


@dataclass(frozen=True)
class Numbers:
    """Everything a report says."""

    start: str
    stop: str
    tweets: int
    hours: list[HourCount]
    kinds: dict[str, int]
    languages: Ranking
    hashtags: Ranking
    mentions: Ranking
    domains: Ranking
    authors: Ranking
    lag: Lag
    problem: str | None = field(default=None)

    @property
    def closed(self) -> list[HourCount]:
        """The hours that are counted."""
        return [hour for hour in self.hours if hour.tweets is not None]

    @property
    def missing(self) -> list[str]:
        """The hours of the range that are not closed."""
        return [hour.hour for hour in self.hours if hour.tweets is None]

    @property
    def gap_seconds(self) -> float:
        """Time without a connection in the hours that are counted."""
        return sum(hour.gap_seconds for hour in self.closed)

    @property
    def rejects(self) -> int:
        """Lines that were no tweets and no known messages, in the hours that are counted."""
        return sum(hour.rejects for hour in self.closed)

    @property
    def undelivered(self) -> int:
        """Tweets that the stream says it left out of the hours that are counted."""
        return sum(hour.undelivered for hour in self.closed)

    def to_json(self) -> bytes:
        """All numbers, for programs."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1).encode() + b"\n"


def count(
    start: dt.datetime,
    stop: dt.datetime,
    hours: Iterable[tuple[dt.datetime, float | None]],
    open_parquet: Callable[[dt.datetime], Any],
    scratch: pathlib.Path,
    done: Callable[[int], None] = lambda _: None,
) -> Numbers:
    """Counts a range: `hours` are its hours with their seconds without a connection, None where an hour is not closed.

    `scratch` is a folder for DuckDB's file; `done` is told how many hours have been read.
    """
    spans = list(hours)
    # What is needed is in DuckDB's own package: nothing is fetched.
    config: dict[str, Any] = {"temp_directory": str(scratch / "spill"), "autoinstall_known_extensions": False}
    with duckdb.connect(str(scratch / "report.duckdb"), config=config) as database:
        database.execute(_TABLE)
        for number, (hour, gap) in enumerate(spans, 1):
            if gap is not None:
                _load(database, hour, open_parquet(hour))
            done(number)
        return _ask(database, start, stop, spans)


def _load(database: Any, hour: dt.datetime, file: Any) -> None:
    with file:
        parquet = pq.ParquetFile(file, pre_buffer=True)
        leaves = [path for path in _paths(parquet) if _is_wanted(path)]
        schema = pa.schema([_pruned(field, leaves) for field in parquet.schema_arrow if field.name in _LEAVES])
        batches: Iterator[Any] = parquet.iter_batches(batch_size=16_384, columns=leaves)
        reader = pa.RecordBatchReader.from_batches(schema, (batch.select(schema.names).cast(schema) for batch in batches))
        database.register("batches", reader)
        database.execute(_LOAD, [hour])
        database.unregister("batches")


def _paths(parquet: Any) -> list[str]:
    return [parquet.schema.column(number).path for number in range(len(parquet.schema))]


def _is_wanted(path: str) -> bool:
    column, *inner = path.split(".")
    return column in _LEAVES and (not _LEAVES[column] or inner[-1] in _LEAVES[column])


def _pruned(field: Any, leaves: list[str]) -> Any:
    """The field with the members that are read."""
    kind, members = field.type, _LEAVES[field.name]
    if not members:
        return field
    struct = kind.value_type if pa.types.is_list(kind) else kind
    kept = pa.struct([member for member in struct if member.name in members])
    return field.with_type(pa.list_(pa.field(kind.value_field.name, kept)) if pa.types.is_list(kind) else kept)


def _ask(database: Any, start: dt.datetime, stop: dt.datetime, spans: list[tuple[dt.datetime, float | None]]) -> Numbers:
    by_hour = dict(database.execute("select hour, count(*) from tweets group by hour").fetchall())
    kinds = dict(database.execute("select coalesce(kind, 'unknown'), count(*) from tweets group by all order by 2 desc, 1").fetchall())
    return Numbers(
        start=f"{start:%Y-%m-%dT%H}",
        stop=f"{stop:%Y-%m-%dT%H}",
        tweets=sum(by_hour.values()),
        hours=[HourCount(f"{hour:%Y-%m-%dT%H}", None if gap is None else by_hour.get(hour, 0), gap or 0.0) for hour, gap in spans],
        kinds=kinds,
        languages=_ranking(database, "[lang]"),
        hashtags=_ranking(database, "hashtags"),
        mentions=_ranking(database, "mentions"),
        domains=_ranking(database, "domains"),
        authors=_authors(database),
        lag=_lag(database),
    )


def _ranking(database: Any, column: str) -> Ranking:
    rows = database.execute(_RANKING.format(column=column, top=TOP)).fetchall()
    different, tweets = database.execute(
        f"select count(distinct lower(label)), count(distinct tweet) from (select rowid as tweet, unnest({column}) as label from tweets)"  # noqa: S608 - a column of ours
        " where label is not null"
    ).fetchone()
    return Ranking([Ranked(label, tweets) for label, tweets in rows if label is not None], different, tweets)


def _authors(database: Any) -> Ranking:
    rows = database.execute(_AUTHORS.format(top=TOP)).fetchall()
    different, tweets = database.execute("select count(distinct author), count(author) from tweets").fetchone()
    return Ranking([Ranked(label, tweets) for label, tweets in rows], different, tweets)


def _lag(database: Any) -> Lag:
    ends = [end * 1_000_000 for end in LAG_ENDS]
    known, early, *rest = database.execute(
        "select count(lag_us), count(*) filter (lag_us < 0), quantile_cont(lag_us, [0.5, 0.9, 0.99]), max(lag_us) from tweets"
    ).fetchone()
    if not known:
        return Lag(0, 0, [0] * (len(ends) + 1))
    marks = [0, *ends, 2**63 - 1]
    groups = [
        database.execute("select count(*) from tweets where lag_us >= ? and lag_us < ?", [low, high]).fetchone()[0]
        for low, high in itertools.pairwise(marks)
    ]
    quantiles, largest = rest
    median, p90, p99 = (value / 1e6 for value in quantiles)
    return Lag(known, early, groups, median, p90, p99, largest / 1e6)
