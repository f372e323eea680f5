"""Streams closed hours: `spark.readStream.format("cauce")`.

An offset is a run of hours, `{"from": "2026-11-22T05", "next": "2026-11-22T08"}`: all hours from the first one on are
closed, up to `next`, which is not included. It goes on hour by hour and stops at the first that is not closed, so each
hour is read once and whole, whatever is restarted. Hours that are back-loaded before the run are not streamed.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pyspark.sql.datasource import DataSourceStreamReader, InputPartition
from pyspark.sql.streaming.datasource import (
    ReadAllAvailable,
    ReadLimit,
    ReadMaxFiles,
    SupportsTriggerAvailableNow,
)

from pyspark_cauce._options import Options
from pyspark_cauce._plan import hours, shares
from pyspark_cauce._reader import Rows
from pyspark_cauce._sentence import one_sentence

if TYPE_CHECKING:
    from pyspark_cauce._columns import Columns

HOUR = dt.timedelta(hours=1)
FORMAT = "%Y-%m-%dT%H"
# Hours that are asked for at once: a page of the listing of `_hours/`.
PAGE = 1000

Offset = dict[str, str]


def _time(text: str) -> dt.datetime:
    return dt.datetime.strptime(text, FORMAT).replace(tzinfo=dt.UTC)


class RefusedStream(DataSourceStreamReader):
    """Raises what refuses a query's options or columns at the first question.

    Spark stops a reader that it never got, and so shows an `UnboundLocalError` in the place of what making one raised.
    """

    def __init__(self, error: ValueError) -> None:
        self._error = error

    def initialOffset(self) -> Offset:
        """Raises."""
        with one_sentence():
            raise self._error

    def latestOffset(self, start: Offset, limit: ReadLimit) -> Offset:
        """Raises."""
        return self.initialOffset()

    def partitions(self, start: Offset, end: Offset) -> Sequence[InputPartition]:
        """Raises."""
        self.initialOffset()
        return []

    def read(self, partition: InputPartition) -> Iterator[tuple[object, ...]]:
        """Raises."""
        self.initialOffset()
        return iter(())


class StreamReader(Rows, DataSourceStreamReader, SupportsTriggerAvailableNow):
    """Reads a streaming query, in the driver's Python process as long as the query lasts."""

    def __init__(self, asked: Options, columns: "Columns") -> None:
        super().__init__(asked, columns)
        self._is_available_now = False
        # Where a query that takes what is there now ends.
        self._target: dt.datetime | None = None

    def initialOffset(self) -> Offset:
        """The start: the option, or the first closed hour; of a lake without any, nothing yet."""
        with one_sentence():
            start, _ = self._asked.span()
            if start is None:
                closed = hours(self._asked)
                start = closed[0].start if closed else None
        name = start.strftime(FORMAT) if start else ""
        return {"from": name, "next": name}

    def latestOffset(self, start: Offset, limit: ReadLimit) -> Offset:
        """The end of the run, no further than the limit and what was there when a query of `availableNow` began."""
        if not start["next"]:
            start = self.initialOffset()
            if not start["next"]:
                return start
        begin = _time(start["next"])
        with one_sentence():
            end = self._run_end(begin)
        if self._is_available_now:
            self._target = self._target or end
            end = min(end, self._target)
        if isinstance(limit, ReadMaxFiles):
            end = min(end, begin + limit.max_files * HOUR)
        return {"from": start["from"], "next": max(begin, end).strftime(FORMAT)}

    def getDefaultReadLimit(self) -> ReadLimit:
        """So many hours a batch, counted as files, the nearest of the limits that Spark knows."""
        return ReadMaxFiles(self._asked.max_hours) if self._asked.max_hours else ReadAllAvailable()

    def prepareForTriggerAvailableNow(self) -> None:
        """Sets the end of the query to that of the run as it is first looked at."""
        self._is_available_now = True

    def partitions(self, start: Offset, end: Offset) -> list[InputPartition]:
        """The shares of the hours between two offsets.

        Raises:
            ValueError: An hour that was closed is so no more, which means that its manifest was taken away or damaged.
        """
        with one_sentence():
            return self._shares(start["next"] or end["from"], end["next"])

    def _shares(self, first: str, last: str) -> list[InputPartition]:
        if first == last:
            return []
        found = hours(self._asked.with_span(first, last))
        expected = int((_time(last) - _time(first)) / HOUR)
        if len(found) != expected:
            raise ValueError(
                f"{len(found)} of the {expected} hours from {first} to {last} are closed, though all of them were"
            )
        return shares(found, self._asked)

    def _run_end(self, begin: dt.datetime) -> dt.datetime:
        """The first hour from here on that is not closed, by listings of `_hours/` alone."""
        _, stop = self._asked.span()
        lake = self._asked.lake()
        end = begin
        while True:
            page = [end + number * HOUR for number in range(PAGE)]
            closed = lake.closed(page)
            for hour in page:
                if hour not in closed or (stop is not None and hour >= stop):
                    return hour
            end = page[-1] + HOUR
