"""What a task tells the scheduler, and that a scheduler which hangs holds nothing up."""

import threading
import time
from collections.abc import Callable

import luigi
import pytest
from servers import until

from luigi_tasks.parquet import duration, tell
from luigi_tasks.progress import Progress


class Told:
    """Stands where luigi's worker stands: it sets these three on a task while the task runs."""

    def __init__(self) -> None:
        self.words: list[tuple[str, object]] = []
        self.times: list[float] = []
        self.set_tracking_url: Callable[[str], object] = lambda url: self._take("url", url)
        self.set_status_message: Callable[[str], object] = lambda text: self._take("message", text)
        self.set_progress_percentage: Callable[[int], object] = lambda percent: self._take("percent", percent)

    def _take(self, kind: str, value: object) -> None:
        self.words.append((kind, value))
        if kind == "message":
            self.times.append(time.monotonic())


def progress(told: object, interval: float = 0.05, patience: float = 0.2) -> Progress:
    assert not isinstance(told, luigi.Task)
    return Progress(told, interval, patience)  # type: ignore[arg-type]  # only the three callables matter


def test_without_a_worker_nothing_happens() -> None:
    before = threading.active_count()
    with progress(object()) as words:
        words.link("http://somewhere")
        words.at(50, "half")
        assert threading.active_count() == before


def test_the_last_word_is_said_and_those_that_nobody_saw_are_dropped() -> None:
    told = Told()
    with progress(told, interval=0.2) as words:
        for percent in range(1000):
            words.at(percent // 10, f"{percent} of 1000")
    assert told.words[-1] == ("message", "999 of 1000")
    assert len(told.words) < 10


def test_words_keep_their_distance() -> None:
    told = Told()
    with progress(told, interval=0.1) as words:
        end = time.monotonic() + 0.55
        number = 0
        while time.monotonic() < end:
            words.at(0, str(number := number + 1))
    between = [later - earlier for earlier, later in zip(told.times, told.times[1:-1], strict=False)]
    assert between
    assert min(between) >= 0.099


def test_a_percentage_that_has_not_changed_is_not_sent_again() -> None:
    told = Told()
    with progress(told) as words:
        words.at(7, "first")
        until("the first word is said", lambda: ("message", "first") in told.words)
        words.at(7, "second")
    assert [word for word in told.words if word[0] == "percent"] == [("percent", 7)]


def test_a_scheduler_that_hangs_holds_nothing_up() -> None:
    told, never = Told(), threading.Event()
    told.set_progress_percentage = lambda _: never.wait(30)
    began = time.monotonic()
    with progress(told) as words:
        for percent in range(100):
            words.at(percent, "on the way")
    assert time.monotonic() - began < 5
    never.set()


def test_a_scheduler_that_fails_is_no_failure_of_the_task() -> None:
    told = Told()

    def fail(_: object) -> None:
        raise ConnectionError

    told.set_progress_percentage = fail
    with progress(told) as words:
        words.at(10, "still told")
    assert ("message", "still told") in told.words


def test_the_link_is_never_on_its_way_after_the_task_has_ended() -> None:
    # Luigi sends it as "is running": after "is done" it would bring the task back to life.
    told, release = Told(), threading.Event()

    def slowly(url: str) -> None:
        release.wait(30)
        told.words.append(("url", url))

    told.set_tracking_url = slowly
    threading.Timer(0.5, release.set).start()
    with progress(told) as words:
        words.link("http://somewhere")
    assert told.words[0] == ("url", "http://somewhere")


@pytest.mark.parametrize(
    ("tweets", "share", "seconds", "told"),
    [
        (0, 0.0, 0.0, (0, "0 tweets")),
        (12_000, 0.25, 2.0, (25, "12,000 tweets, 6,000 a second, 6 s left")),
        (1_000_000, 1.0, 4.0, (99, "1,000,000 tweets, 250,000 a second, 0 s left")),
        (1, 0.001, 10.0, (0, "1 tweets, 0 a second, 2 h 46 min left")),
    ],
)
def test_a_conversion_says_how_far_and_how_fast_it_is(tweets: int, share: float, seconds: float, told: tuple[int, str]) -> None:
    assert tell(tweets, share, seconds) == told


def test_lengths_of_time_are_written_for_people() -> None:
    lengths = {0.4: "0 s", 99.4: "99 s", 100: "2 min", 3540: "59 min", 3660: "1 h 01 min", 90_000: "25 h 00 min"}
    assert {seconds: duration(seconds) for seconds in lengths} == lengths
