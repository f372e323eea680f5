"""Tasks that run on Spark: many hours to Parquet on a cluster, and the numbers of an hour.

They are luigi's `SparkSubmitTask`, so its section `[spark]` says where and how: `master`, `conf`, `executor-memory` and the like. Two
things of it are mended here: Spark 4 says in other words where its page is, and luigi's error for a failed program holds all
variables of the environment, keys included.
"""

import datetime as dt
import functools
import json
import os
import pathlib
import re
import socket
import sys
import tempfile
from collections.abc import Iterable
from typing import Any

import luigi
from luigi.contrib.external_program import ExternalProgramRunError
from luigi.contrib.spark import SparkSubmitTask

from luigi_tasks import settings
from luigi_tasks.hours import HourParameter, TweetHour, closed, complete_among, hour_text, naive_utc
from luigi_tasks.parquet import ParquetHour, ParquetHourTarget, converted, day_folder, parquet_place
from luigi_tasks.places import Place

JOBS = pathlib.Path(__file__).parent / "jobs"
# Lines of a failed program's words that are repeated.
LAST_LINES = 20


class SparkFailed(RuntimeError):
    """A program that Spark ran has failed; the text has its reason or its last words, and nothing of its environment."""


class SparkTask(SparkSubmitTask):
    """A program for `spark-submit` in the mode "client", with a link to Spark's page and errors without secrets.

    A task of your own sets `app` and `app_options()`. A program that prints `tracking URL: http://…` to standard error, or logs where
    Spark's page is, gets its link.
    """

    # luigi types these as None.
    name: Any = None
    app: Any = None
    # What our programs say, or Spark's own words since 4.0, which have the port alone.
    tracking_url_pattern: Any = r"(?:tracking URL: |Successfully started service 'SparkUI' on port )(\S+)"
    # What the task did, by name: `tweets`, `bytes`. Sent by `luigi_tasks.progress.ReportStatistics`.
    statistics: dict[str, int] | None = None
    # Where the program writes what it found.
    answer: pathlib.Path | None = None

    def build_tracking_url(self, logs_output: str) -> str:
        """The link. Where only the port is known, the page is on this machine, where the driver runs."""
        found = logs_output.rstrip(".")
        return f"http://{socket.getfqdn()}:{found}" if found.isdigit() else found

    @property
    def spark_submit(self) -> str:
        """That of `[spark] spark-submit`, else the one of the pyspark package beside this Python, else what `PATH` has."""
        beside = pathlib.Path(sys.executable).parent / "spark-submit"
        return settings.raw_text("spark", "spark-submit") or (str(beside) if beside.exists() else "spark-submit")

    @property
    def deploy_mode(self) -> str:
        """The driver runs here, beside the task that reads its answer."""
        return "client"

    def program_environment(self) -> dict[str, str]:
        """This process's, with the keys of luigi's section `[s3]`, and the same Python for driver and executors."""
        environment: dict[str, str] = super().program_environment()
        environment.setdefault("PYSPARK_PYTHON", sys.executable)
        environment["PYSPARK_DRIVER_PYTHON"] = sys.executable
        keys = settings.current().keys
        if keys.access_key_id and keys.secret_access_key:
            for name, value in vars(keys).items():
                if value:
                    environment |= {f"CAUCE_LAKE__S3__{name.upper()}": value, f"AWS_{name.upper()}": value}
        return environment

    def run(self) -> None:
        """Submits the program and waits for its end.

        Raises:
            SparkFailed: it ended with another code than 0, or `spark-submit` is not there.
        """
        with tempfile.TemporaryDirectory(prefix="cauce-spark-") as scratch:
            self.answer = pathlib.Path(scratch, "answer.json")
            try:
                super().run()
            except ExternalProgramRunError as error:
                raise SparkFailed(self._reason(str(error.out or ""), str(error.err or ""))) from None
            except FileNotFoundError:
                raise SparkFailed(f"{self.spark_submit} is not there: pip install pyspark, or set [spark] spark-submit") from None
            if self.answer.exists():
                self.take(json.loads(self.answer.read_text()))

    def take(self, answer: dict[str, Any]) -> None:
        """What is done with the program's answer."""

    def _reason(self, out: str, err: str) -> str:
        failed: dict[str, str] = {}
        if self.answer is not None and self.answer.exists():
            failed = json.loads(self.answer.read_text()).get("failed", {})
        if failed:
            first = "; ".join(f"{name}: {reason}" for name, reason in list(failed.items())[:5])
            return f"{len(failed)} hours failed: {first}"
        words = [line for line in (out + err).splitlines() if line.strip()]
        return "the program failed on Spark; its last words:\n" + "\n".join(words[-LAST_LINES:])


class ConvertHours(SparkTask):
    """The hours from `start` to `stop` as Parquet, converted on a Spark cluster: what `ParquetHour` does on one machine."""

    start: dt.datetime = HourParameter(description="the first hour, in UTC")
    stop: dt.datetime = HourParameter(description="the hour after the last one, in UTC")

    name = "cauce convert"
    app = str(JOBS / "convert.py")

    @functools.cached_property
    def _hours(self) -> list[dt.datetime]:
        return [self.start + dt.timedelta(hours=number) for number in range(int((self.stop - self.start) / dt.timedelta(hours=1)))]

    @functools.cached_property
    def _not_closed(self) -> list[dt.datetime]:
        """Asked for once, by one listing: each `TweetHour` would ask for itself."""
        there = closed(self._hours)
        return [hour for hour in self._hours if hour not in there]

    def requires(self) -> list[TweetHour]:
        """The hours that are not closed yet; the others are there."""
        return [TweetHour(hour=hour) for hour in self._not_closed]

    def output(self) -> list[ParquetHourTarget]:
        """The Parquet of each hour."""
        return [ParquetHourTarget(hour) for hour in self._hours]

    def complete(self) -> bool:
        """Whether all hours are converted, by one sweep of the listing."""
        return converted(self._hours).issuperset(self._hours)

    def app_options(self) -> list[str]:
        """The hours that are not there, and where the lake is; keys cross in the environment."""
        now = settings.current()
        there = converted(self._hours)
        options = ["--to", parquet_place().url, "--answer", str(self.answer)]
        for url in now.lakes:
            options += ["--lake", url]
        for name, value in now.options.settings.items():
            options.append(f"--{name.replace('_', '-')}={value}")
        return [*options, *(hour_text(hour) for hour in self._hours if hour not in there)]

    def take(self, answer: dict[str, Any]) -> None:
        """The sums, for the scheduler's metrics."""
        self.statistics = {"tweets": answer["tweets"], "bytes": answer["bytes"]}


class SummaryTarget(luigi.Target):
    """The numbers of an hour, a small JSON object among the reports. Written in one step, so it is there or it is not."""

    def __init__(self, hour: dt.datetime) -> None:
        self._start = naive_utc(hour)

    @property
    def place(self) -> Place:
        """Where the reports are."""
        now = settings.current()
        return Place(settings.needed(now.reports, "reports"), now.options)

    def exists(self) -> bool:
        """Whether the hour was counted."""
        return self.place.exists(summary_name(self._start))

    def read(self) -> dict[str, Any]:
        """The numbers.

        Raises:
            FileNotFoundError: they are not there.
        """
        with self.place.open(summary_name(self._start)) as file:
            numbers: dict[str, Any] = json.load(file)
        return numbers

    def write(self, numbers: dict[str, Any]) -> None:
        """Puts the numbers there."""
        self.place.write(summary_name(self._start), json.dumps(numbers, ensure_ascii=False, indent=1).encode() + b"\n")

    def __str__(self) -> str:
        return self.place.url_of(summary_name(self._start))


def summary_name(hour: dt.datetime) -> str:
    """The numbers' name among the reports."""
    return f"hourly/{day_folder(hour)}/hour={hour:%H}.json"


def summarised(hours: Iterable[dt.datetime]) -> set[dt.datetime]:
    """The hours among these that were counted, by one sweep of the listing."""
    asked = {summary_name(hour): hour for hour in map(naive_utc, hours)}
    now = settings.current()
    names = Place(settings.needed(now.reports, "reports"), now.options).names(f"hourly/{day_folder(hour)}" for hour in asked.values())
    return {asked[name] for name in asked.keys() & names}


class HourlySummary(SparkTask):
    """The numbers of an hour, counted by Spark over its Parquet: tweets, authors, languages, kinds, hashtags."""

    hour: dt.datetime = HourParameter(description="the hour, in UTC")

    name = "cauce summary"
    app = str(JOBS / "summary.py")

    def requires(self) -> ParquetHour:
        """The hour's Parquet."""
        return ParquetHour(hour=self.hour)

    def output(self) -> SummaryTarget:
        """The numbers."""
        return SummaryTarget(self.hour)

    @classmethod
    def bulk_complete(cls, parameter_tuples: Iterable[Any]) -> list[Any]:
        """The counted hours among those asked for, by one sweep of the listing."""
        return complete_among(parameter_tuples, summarised)

    def app_options(self) -> list[str]:
        """The hour's file, and where the answer is wanted."""
        url = ParquetHourTarget(self.hour).url
        return [url if "://" in url else os.path.abspath(url), "--answer", str(self.answer)]

    @property
    def conf(self) -> dict[str, str] | None:
        """Those of `[spark] conf`, and where the S3 server is; the jars for it are the cluster's business."""
        given = settings.raw_text("spark", "conf") or ""
        found = dict(pair.split("=", 1) for pair in given.split("|") if "=" in pair)
        s3 = settings.current().options.settings
        if "endpoint_url" in s3 and re.match("s3[an]?://", parquet_place().url):
            found.setdefault("spark.hadoop.fs.s3a.endpoint", s3["endpoint_url"])
            found.setdefault("spark.hadoop.fs.s3a.path.style.access", s3.get("path_style", "true").lower())
            found.setdefault("spark.hadoop.fs.s3a.endpoint.region", s3.get("region", "us-east-1"))
        return found

    def take(self, answer: dict[str, Any]) -> None:
        """Writes the numbers, with the hour's name."""
        self.output().write({"hour": hour_text(self.hour), **answer})
        self.statistics = {"tweets": answer["tweets"]}
