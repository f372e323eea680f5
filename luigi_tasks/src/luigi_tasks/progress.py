"""What a running task tells the scheduler: percentage, message, link, and counts at its end.

Each word to the scheduler is a blocking request, and with luigid down luigi repeats it three times, half a minute apart. So it
is said from a thread of its own, at most every two seconds, and the newest word replaces those that were not sent yet. The work
never waits.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import luigi
from luigi.worker import TaskProcess

logger = logging.getLogger("luigi-interface")

# Seconds between two words to the scheduler: its page is looked at by people.
INTERVAL = 2.0
# Seconds that a task waits at its end for its last word to be taken.
PATIENCE = 2.0


class Progress:
    """Tells the scheduler of one task. Without a scheduler (a task that is run by hand) it does nothing."""

    def __init__(self, task: luigi.Task, interval: float = INTERVAL, patience: float = PATIENCE) -> None:
        # luigi sets these for the time of `run()` only, and types them as None.
        self._send: dict[str, Callable[[Any], Any] | None] = {
            "url": getattr(task, "set_tracking_url", None),
            "percent": getattr(task, "set_progress_percentage", None),
            "message": getattr(task, "set_status_message", None),
        }
        self._interval, self._patience = interval, patience
        self._latest: dict[str, Any] = {}
        self._sent: dict[str, Any] = {}
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._linked = threading.Event()
        # A daemon: a scheduler that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def link(self, url: str) -> None:
        """Sets the page that the scheduler's page links to."""
        self._say("url", url)

    def at(self, percent: int, message: str) -> None:
        """Sets how far the task is, and what it says of itself. Takes no time; older words that were not sent are dropped."""
        self._say("percent", max(0, min(100, percent)))
        self._say("message", message)

    def _say(self, kind: str, value: Any) -> None:
        if self._send[kind] is None:
            return
        with self._changed:
            self._latest[kind] = value
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._news() or self._closing.is_set())
                news = self._news()
            if not news:
                return
            for kind, value in news.items():
                self._sent[kind] = value
                self._deliver(kind, value)
            # Spaces the requests; cut short when the task ends.
            self._closing.wait(self._interval)

    def _news(self) -> dict[str, Any]:
        return {kind: value for kind, value in self._latest.items() if self._sent.get(kind) != value}

    def _deliver(self, kind: str, value: Any) -> None:
        send = self._send[kind]
        try:
            if send is not None:
                send(value)
        except Exception as error:
            logger.debug("the scheduler did not take a task's %s: %s", kind, error)
        finally:
            if kind == "url":
                self._linked.set()

    def __enter__(self) -> "Progress":
        if any(self._send.values()):
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if not self._thread.is_alive():
            return
        with self._changed:
            self._closing.set()
            self._changed.notify()
        if "url" in self._latest:
            # luigi sends the link as "is running". If that arrived after "is done", the scheduler would take the task for running again.
            self._linked.wait()
        self._thread.join(self._patience)


class ProgressTask(luigi.Task):
    """A task that tells how far it is, and at its end what it did (`statistics`, for the scheduler's metrics)."""

    # What the task did, by name: `tweets`, `bytes`. Sent by `ReportStatistics`.
    statistics: dict[str, int] | None = None

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """Opens the way to the scheduler; to be used inside `run()`."""
        with Progress(self) as progress:
            yield progress


class ReportStatistics:
    """Sends a task's `statistics` when it is done: `[worker] task_process_context = luigi_tasks.progress.ReportStatistics`."""

    def __init__(self, process: TaskProcess) -> None:
        self._process = process

    def __enter__(self) -> "ReportStatistics":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        statistics = getattr(self._process.task, "statistics", None)
        if not statistics:
            return
        thread = threading.Thread(target=self._report, args=(statistics,), name="statistics", daemon=True)
        thread.start()
        thread.join(PATIENCE)

    def _report(self, statistics: dict[str, int]) -> None:
        try:
            self._process.status_reporter.report_task_statistics(statistics)
        except Exception as error:
            logger.debug("the scheduler did not take a task's statistics: %s", error)
