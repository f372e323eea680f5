"""Hours of a lake for luigi: when one is there, and the task that stands for it.

An hour is there when it is closed: its manifest, which names the year, is in `_hours/`. A folder with objects in it says nothing, since the
agent may be writing it.
"""

import datetime as dt
import functools
import io
import logging
from collections.abc import Iterable
from typing import IO, Any

import cauce
import luigi

from luigi_tasks import settings
from luigi_tasks.settings import Settings

logger = logging.getLogger("luigi-interface")


def naive_utc(moment: dt.datetime) -> dt.datetime:
    """The moment as luigi writes it: in UTC and without a zone, cut to its hour."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(dt.UTC).replace(tzinfo=None)
    return moment.replace(minute=0, second=0, microsecond=0)


class HourParameter(luigi.DateHourParameter):
    """An hour in UTC, `2026-11-22T05`. A time with a zone is brought to UTC; luigi's own parameter fails on one."""

    def normalize(self, dt_or_date: Any) -> Any:
        """The hour that the value lies in."""
        if isinstance(dt_or_date, dt.datetime):
            return naive_utc(dt_or_date)
        return super().normalize(dt_or_date)


def hour_text(hour: dt.datetime) -> str:
    """An hour's name: `2026-11-22T05`."""
    return f"{hour:%Y-%m-%dT%H}"


def lake() -> cauce.Lake:
    """The lake of the settings in force. One client serves a process; `cauce` itself makes another after a fork."""
    now = settings.current()
    if not now.lakes:
        raise settings.SettingsError("[cauce] lake is not set: write it into luigi.cfg, or give --cauce-lake or CAUCE_LAKE__URL")
    return _open_lake(now.lakes, now.options)


@functools.lru_cache(maxsize=16)
def _open_lake(urls: tuple[str, ...], options: cauce.LakeOptions) -> cauce.Lake:
    return cauce.Lake(list(urls), options=options)


def closed(hours: Iterable[dt.datetime]) -> set[dt.datetime]:
    """The closed ones among the hours, by one listing of `_hours/`: a page for a thousand hours."""
    asked = {hour.replace(tzinfo=dt.UTC): hour for hour in map(naive_utc, hours)}
    if not asked:
        return set()
    return {asked[hour] for hour in lake().closed(list(asked))}


class HourTarget(luigi.Target):
    """An hour of the lake. It exists when it is closed."""

    def __init__(self, hour: dt.datetime) -> None:
        self._start = naive_utc(hour)

    def exists(self) -> bool:
        """Whether the manifest of this very hour, year included, is in the lake."""
        return bool(closed([self._start]))

    def hour(self) -> cauce.Hour:
        """The hour itself: `lines()`, `records()`, `batches()`, `manifest`.

        Raises:
            cauce.HourNotFound: the lake has nothing of it.
        """
        return lake().hour(self._start.replace(tzinfo=dt.UTC))

    def open(self, mode: str = "r") -> IO[Any]:
        """The hour's tweets, one a line: text with "r", bytes with "rb". Only a line feed ends a line."""
        if mode == "rb":
            lines: IO[bytes] = self.hour().open()
            return lines
        if mode != "r":
            raise ValueError(f"mode {mode!r}: an hour is opened with 'r' or 'rb', it is written by `ingest`")
        return io.TextIOWrapper(self.hour().open(), encoding="utf-8", newline="\n")

    def __str__(self) -> str:
        return f"hour {hour_text(self._start)} of {lakes_text(settings.current())}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HourTarget) and other._start == self._start

    def __hash__(self) -> int:
        return hash((HourTarget, self._start))


def lakes_text(now: Settings) -> str:
    """The lakes' URLs for a message; they hold no keys."""
    return " + ".join(map(settings.without_keys, now.lakes)) or "no lake"


class TweetHour(luigi.ExternalTask):
    """An hour that `ingest` writes. Complete when it is closed; luigi can only wait for it."""

    hour: dt.datetime = HourParameter(description="the hour, in UTC")

    def output(self) -> HourTarget:
        """The hour in the lake."""
        return HourTarget(self.hour)

    @classmethod
    def bulk_complete(cls, parameter_tuples: Iterable[Any]) -> list[Any]:
        """The closed hours among those asked for, by one listing."""
        return complete_among(parameter_tuples, closed)


def complete_among(parameters: Iterable[Any], sweep: Any) -> list[Any]:
    """What a task with the one parameter `hour` answers to `bulk_complete`.

    Range tasks hand over an iterator that can be read once, of hours or of tuples that hold one.
    """
    asked = list(parameters)
    hours = [naive_utc(each[0] if isinstance(each, tuple) else each) for each in asked]
    there = sweep(hours)
    return [each for each, hour in zip(asked, hours, strict=True) if hour in there]


@TweetHour.event_handler(luigi.Event.DEPENDENCY_MISSING)  # type: ignore[untyped-decorator]  # luigi's
def _say_what_is_missing(task: TweetHour) -> None:
    logger.warning(
        "hour %s is not closed in %s: `_hours/%s.json` is not there. An hour is closed some seconds after its end, with "
        "partition_by = created_at after allowed_lateness; an hour before the agent's first never is. `ingest hours` lists what there is",
        hour_text(task.hour),
        lakes_text(settings.current()),
        hour_text(task.hour),
    )
