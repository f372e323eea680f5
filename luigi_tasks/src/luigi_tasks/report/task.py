"""`SummaryReport`: the page and the pictures of a range of hours, made by luigi and kept beside their numbers.

A report stands in a folder of its own, `<start>_<stop>/`: `index.html`, which holds everything, one PNG a picture, and `summary.json`,
which is written last: a report is there when that is.
"""

import datetime as dt
import functools
import json
import pathlib
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import luigi

from luigi_tasks import settings
from luigi_tasks.hours import HourParameter, closed, hour_text, lake, lakes_text
from luigi_tasks.parquet import ParquetHour, ParquetHourTarget
from luigi_tasks.places import Place
from luigi_tasks.progress import Progress, ProgressTask

if TYPE_CHECKING:
    from luigi_tasks.report.numbers import Numbers


class ReportTarget(luigi.Target):
    """A report of a range. It exists when its numbers do, which are written last."""

    def __init__(self, start: dt.datetime, stop: dt.datetime) -> None:
        self._folder = f"{hour_text(start)}_{hour_text(stop)}"

    def exists(self) -> bool:
        """Whether a report of the range is there, be it of all its hours or of some."""
        return self.place.exists(f"{self._folder}/summary.json")

    def counted(self) -> set[str] | None:
        """The hours that the report counts, `2026-11-22T05`; None where there is no report."""
        try:
            with self.place.open(f"{self._folder}/summary.json") as file:
                numbers = json.load(file)
        except FileNotFoundError:
            return None
        return {hour["hour"] for hour in numbers["hours"] if hour["tweets"] is not None}

    def write(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Writes the report's files in this order."""
        for name, content in files:
            self.place.write(f"{self._folder}/{name}", content)

    @property
    def place(self) -> Place:
        """Where the reports are."""
        now = settings.current()
        return Place(settings.needed(now.reports, "reports"), now.options)

    def link(self) -> str:
        """An address of the report that a browser opens."""
        return self.place.page(self._folder)

    def __str__(self) -> str:
        return self.place.url_of(f"{self._folder}/index.html")


class SummaryReport(ProgressTask):
    """What happened in the hours from `start` to `stop`: one page, with its pictures and numbers.

    All hours of the range are needed. With `allow_missing` the hours that are closed are enough: the others are shown as missing, and a
    later run makes the report again when more have closed.
    """

    start: dt.datetime = HourParameter(description="the first hour, in UTC")
    stop: dt.datetime = HourParameter(description="the hour after the last one, in UTC")
    allow_missing: bool = luigi.BoolParameter(default=False, description="report on the hours that are closed, if some are not")

    def requires(self) -> list[ParquetHour]:
        """The Parquet of the hours that are to be counted."""
        return [ParquetHour(hour=hour) for hour in self._wanted]

    def output(self) -> ReportTarget:
        """The report."""
        return ReportTarget(self.start, self.stop)

    def complete(self) -> bool:
        """Whether a report is there that counts every hour it should."""
        counted = self.output().counted()
        return counted is not None and counted.issuperset(map(hour_text, self._wanted))

    @functools.cached_property
    def _hours(self) -> list[dt.datetime]:
        return [self.start + dt.timedelta(hours=number) for number in range(int((self.stop - self.start) / dt.timedelta(hours=1)))]

    @functools.cached_property
    def _wanted(self) -> list[dt.datetime]:
        """Asked for once: an hour that closes while the task waits for its turn would be one whose Parquet nobody made."""
        if not self.allow_missing:
            return self._hours
        there = closed(self._hours)
        return [hour for hour in self._hours if hour in there]

    def run(self) -> None:
        """Counts, draws and writes the report."""
        # Only here: DuckDB and matplotlib take a second to load, and every run of luigi loads this module.
        from luigi_tasks.report import page

        output = self.output()
        with self.progress() as progress:
            progress.link(output.link())
            numbers = self._count(progress)
            progress.at(90, f"{numbers.tweets:,} tweets counted, drawing")
            pictures = page.charts_of(numbers)
            document = page.html(numbers, pictures, lakes_text(settings.current()), dt.datetime.now(dt.UTC))
            files = [(f"{picture.name}.png", picture.png) for picture in pictures]
            output.write([*files, ("index.html", document), ("summary.json", numbers.to_json())])
            progress.at(100, f"{numbers.tweets:,} tweets in {len(numbers.closed):,} hours")
        self.statistics = {"tweets": numbers.tweets, "bytes": len(document)}

    def _count(self, progress: Progress) -> "Numbers":
        from luigi_tasks.report.numbers import count

        wanted, total = set(self._wanted), len(self._hours)
        there = {hour_text(hour.start): hour for hour in lake().hours(self.start, self.stop, closed=True) if hour.start} if wanted else {}
        gaps = {name: hour.gaps for name, hour in there.items()}
        lost = {hour: lost_seconds(hour, gaps.get(hour_text(hour), [])) for hour in wanted}
        spans = [(hour, lost.get(hour)) for hour in self._hours]

        def counted(done: int) -> None:
            progress.at(90 * done // total, f"{done:,} of {total:,} hours counted")

        with tempfile.TemporaryDirectory(prefix="cauce-report-") as scratch:
            numbers = count(self.start, self.stop, spans, lambda hour: ParquetHourTarget(hour).open(), pathlib.Path(scratch), counted)
        hours = [
            replace(hour, rejects=known.rejects, undelivered=known.undelivered) if (known := there.get(hour.hour)) else hour
            for hour in numbers.hours
        ]
        numbers = replace(numbers, hours=hours)
        if self.stop > self.start:
            return numbers
        return replace(numbers, problem="This range holds no hour: its end is not after its start.")


def lost_seconds(hour: dt.datetime, gaps: Iterable[Mapping[str, Any]]) -> float:
    """The seconds of a closed hour without a connection, as its manifest's gaps say; what a repair brought back is not lost."""
    begin = hour.replace(tzinfo=dt.UTC)
    end = begin + dt.timedelta(hours=1)
    lost, reached = dt.timedelta(), begin
    for first, last in sorted((_time(gap["from"]), _time(gap["to"]) if gap["to"] else end) for gap in gaps if gap["repaired_by"] is None):
        first, last = max(first, reached), min(last, end)
        lost += max(dt.timedelta(), last - first)
        reached = max(reached, last)
    return lost.total_seconds()


def _time(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)
