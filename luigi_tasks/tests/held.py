"""Tasks for the tests of this package, loaded by luigi with `--module held`."""

import datetime as dt
import multiprocessing
import threading

import cauce
import luigi

from luigi_tasks import *  # noqa: F403 - a user's module names the tasks of luigi_tasks so
from luigi_tasks import HourParameter, ParquetHour, TweetHour
from luigi_tasks.hours import lake


class ReadWhileForking(luigi.Task):
    """Asks in the worker's own process, before and while luigi forks, and again in the task's."""

    hour: dt.datetime = HourParameter()

    def requires(self) -> TweetHour:
        return TweetHour(hour=self.hour)

    def output(self) -> luigi.LocalTarget:
        return luigi.LocalTarget(f"read-{self.hour:%H}")

    def complete(self) -> bool:
        threading.Thread(target=_read, args=(self.hour,), daemon=True).start()
        return bool(self.output().exists())

    def run(self) -> None:
        assert _read(self.hour) == lake().hour(self.hour.replace(tzinfo=dt.UTC)).tweets
        for method in ("fork", "spawn", "forkserver"):
            with multiprocessing.get_context(method).Pool(2) as pool:
                assert len(set(pool.map(_count, [(lake(), self.hour)] * 4))) == 1
        print(f"read {self.hour:%H} in a task")
        with self.output().open("w"):
            pass


def _read(hour: dt.datetime) -> int:
    return _count((lake(), hour))


def _count(asked: tuple[cauce.Lake, dt.datetime]) -> int:
    opened, hour = asked
    return sum(1 for _ in opened.hour(hour.replace(tzinfo=dt.UTC)).lines())


class Timed(ParquetHour):
    """A conversion that may take two seconds."""

    worker_timeout = 2
