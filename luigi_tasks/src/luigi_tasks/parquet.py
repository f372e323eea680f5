"""Hours as Parquet: the targets, the task that converts one hour, and the day that asks for all of its hours.

The conversion is `cauce.convert`, in this process. An hour's Parquet is there when its `_SUCCESS` is: the converter puts it last, so that a
conversion that was killed leaves nothing that counts, and doing it again is safe.
"""

import datetime as dt
import time
from collections.abc import Iterable
from typing import Any

import cauce
import luigi

from luigi_tasks import settings
from luigi_tasks.hours import HourParameter, TweetHour, complete_among, hour_text, lake, naive_utc
from luigi_tasks.places import Place
from luigi_tasks.progress import Progress, ProgressTask


def parquet_place() -> Place:
    """Where the Parquet files are, by the settings in force."""
    now = settings.current()
    return Place(settings.needed(now.parquet, "parquet"), now.options)


def folder(hour: dt.datetime) -> str:
    """An hour's folder under the Parquet's root."""
    return f"{day_folder(hour)}/hour={hour:%H}"


def day_folder(hour: dt.datetime) -> str:
    """The folder of the hour's day."""
    return f"date={hour:%Y-%m-%d}"


def converted(hours: Iterable[dt.datetime]) -> set[dt.datetime]:
    """The hours among these whose Parquet is there, by one sweep of the listing."""
    asked = {f"{folder(hour)}/_SUCCESS": hour for hour in map(naive_utc, hours)}
    names = parquet_place().names(day_folder(hour) for hour in asked.values())
    return {asked[name] for name in asked.keys() & names}


class ParquetHourTarget(luigi.Target):
    """The Parquet of an hour. It exists when its `_SUCCESS` does."""

    def __init__(self, hour: dt.datetime) -> None:
        self._start = naive_utc(hour)

    def exists(self) -> bool:
        """Whether the hour was converted to its end."""
        return parquet_place().exists(f"{folder(self._start)}/_SUCCESS")

    def open(self) -> Any:
        """The Parquet file, for `pyarrow.parquet` and whatever else reads from a file object.

        Raises:
            FileNotFoundError: it is not there.
        """
        return parquet_place().open(f"{folder(self._start)}/tweets.parquet")

    @property
    def url(self) -> str:
        """The Parquet file's full name."""
        return parquet_place().url_of(f"{folder(self._start)}/tweets.parquet")

    def __str__(self) -> str:
        return self.url


class ParquetHour(ProgressTask):
    """An hour of the lake, converted to Parquet once it is closed."""

    hour: dt.datetime = HourParameter(description="the hour, in UTC")

    def requires(self) -> TweetHour:
        """The closed hour."""
        return TweetHour(hour=self.hour)

    def output(self) -> ParquetHourTarget:
        """The hour's Parquet."""
        return ParquetHourTarget(self.hour)

    @classmethod
    def bulk_complete(cls, parameter_tuples: Iterable[Any]) -> list[Any]:
        """The converted hours among those asked for, by one sweep of the listing."""
        return complete_among(parameter_tuples, converted)

    def run(self) -> None:
        """Converts the hour."""
        now = settings.current()
        place = parquet_place()
        with self.progress() as progress:
            progress.link(tracking_url(self.hour, place, now.tracking_url))
            teller = _Teller(progress)
            done = cauce.convert(lake(), [self.hour.replace(tzinfo=dt.UTC)], place.url, progress=teller)
            rejects = f", {done.rejects:,} rejects" if done.rejects else ""
            progress.at(100, f"{done.rows:,} tweets in {teller.seconds():.1f} s{rejects}")
        self.statistics = {"tweets": done.rows, "bytes": done.bytes_out}


class _Teller:
    """Makes of the converter's counts a percentage and a message with tweets a second and what is left."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._began = progress, time.monotonic()

    def seconds(self) -> float:
        return time.monotonic() - self._began

    def __call__(self, now: Any) -> None:
        share = now.bytes_in / now.bytes_in_total if now.bytes_in_total else 0.0
        self._progress.at(*tell(now.rows, share, self.seconds()))


def tell(tweets: int, share: float, seconds: float) -> tuple[int, str]:
    """Percentage and message of a conversion that has read such a share of its bytes, and made so many tweets, in so many seconds."""
    text = f"{tweets:,} tweets"
    if seconds <= 0 or share <= 0:
        return 0, text
    left = duration(seconds * (1 - share) / share)
    return min(99, int(100 * share)), f"{text}, {tweets / seconds:,.0f} a second, {left} left"


def duration(seconds: float) -> str:
    """A length of time for people: `42 s`, `3 min`, `1 h 05 min`."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def tracking_url(hour: dt.datetime, place: Place, template: str | None) -> str:
    """The page of an hour: the one of the settings, else where the hour's Parquet is."""
    if template:
        for name, value in {"{date}": f"{hour:%Y-%m-%d}", "{hour}": hour_text(hour), "{HH}": f"{hour:%H}"}.items():
            template = template.replace(name, value)
        return template
    return place.page(folder(hour))


class ParquetDay(luigi.WrapperTask):
    """All hours of a UTC day as Parquet, for `RangeDaily` and for tasks that want a day."""

    date: dt.date = luigi.DateParameter(description="the day, in UTC")

    def requires(self) -> list[ParquetHour]:
        """The day's 24 hours."""
        return [ParquetHour(hour=hour) for hour in hours_of(self.date)]

    @classmethod
    def bulk_complete(cls, parameter_tuples: Iterable[Any]) -> list[Any]:
        """The days all of whose hours are converted, by one sweep of the listing."""
        asked = [(each, each[0] if isinstance(each, tuple) else each) for each in parameter_tuples]
        there = converted(hour for _, day in asked for hour in hours_of(day))
        return [each for each, day in asked if there.issuperset(hours_of(day))]


def hours_of(day: dt.date) -> list[dt.datetime]:
    """The 24 hours of a UTC day."""
    midnight = dt.datetime.combine(day, dt.time())
    return [midnight + dt.timedelta(hours=number) for number in range(24)]
