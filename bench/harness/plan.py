"""The words of a benchmark: who runs, in which comparison, against which goal."""

import pathlib
from collections.abc import Callable
from dataclasses import dataclass, field

from harness.measure import Failed, Run

CAUCE = "Cauce"
METRICS = {"wall": "wall time", "cpu": "CPU time", "peak_mib": "peak memory", "out_mb": "output"}


@dataclass(frozen=True)
class Contender:
    """One way to do the work. `{out}` in its command is a fresh folder, whose Parquet files are its output."""

    name: str
    command: list[str]
    env: dict[str, str] = field(default_factory=dict)
    rounds: int | None = None  # fewer than the others: too slow for more
    limit: float = 300
    note: str = ""
    left_out: str = ""  # columns that it makes differently, so that they are not compared


@dataclass(frozen=True)
class Goal:
    """What Cauce must reach against somebody: so many times less. For output, at most so many times as much."""

    metric: str
    against: str
    times: float
    by: str = CAUCE

    def ratio(self, own: float, other: float) -> float:
        return own / other if self.metric == "out_mb" else other / own

    def is_met(self, ratio: float) -> bool:
        return ratio <= self.times if self.metric == "out_mb" else ratio >= self.times


@dataclass(frozen=True)
class Comparison:
    """Contenders that do the same work, run in turn."""

    key: str
    title: str
    what: str
    contenders: list[Contender]
    goals: list[Goal] = field(default_factory=list)
    megabytes: float | None = None  # of input, for a rate
    same_cells: bool = False  # hold the Parquet of everybody against the first one's
    lake: pathlib.Path | None = None  # a folder that is read, to be in the page cache


Outcome = Run | Failed
Say = Callable[[str], None]
