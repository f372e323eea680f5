"""Runs a comparison: a warm-up each, then rounds in which everybody runs in turn, and ratios within a round.

The order is another one each round, so that nobody always follows the same neighbour. Who fails once is out, with its reason.
"""

import contextlib
import os
import pathlib
import random
import shutil
import statistics
from collections.abc import Callable
from typing import Any

from harness import data
from harness.measure import Failed, Run, run
from harness.plan import CAUCE, METRICS, Comparison, Contender, Say

Checked = Callable[[pathlib.Path, pathlib.Path, str], str]


def environment(extra: dict[str, str]) -> dict[str, str]:
    """What a contender sees: this process's environment without settings that would tilt it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CAUCE_", "PYTHON", "POLARS_", "OMP_"))}
    return kept | {"AWS_EC2_METADATA_DISABLED": "true", "TZ": "UTC"} | extra


class Rounds:
    """All runs of one comparison."""

    def __init__(self, comparison: Comparison, rounds: int, folder: pathlib.Path, say: Say) -> None:
        self.comparison, self.rounds, self.folder, self.say = comparison, rounds, folder, say
        self.runs: dict[str, list[Run]] = {one.name: [] for one in comparison.contenders}
        self.sizes: dict[str, float] = {}
        self.failed: dict[str, str] = {}
        self.cells: dict[str, str] = {}

    def once(self, one: Contender) -> Run | None:
        """One run; its output stays until the next."""
        target = self.output(one)
        shutil.rmtree(target, ignore_errors=True)
        command = [part.replace("{out}", str(target)) for part in one.command]
        outcome = run(command, environment(one.env), one.limit)
        if isinstance(outcome, Failed):
            self.failed[one.name] = outcome.reason
            self.say(f"  {one.name}: fails: {outcome.reason}")
            return None
        if written := [file for file in target.rglob("*.parquet") if file.is_file()]:
            self.sizes[one.name] = sum(file.stat().st_size for file in written) / 1e6
        self.say(f"  {one.name}: {outcome.wall:.3f} s, CPU {outcome.cpu:.3f} s, {outcome.peak_mib:.0f} MiB {outcome.answer}")
        return outcome

    def output(self, one: Contender) -> pathlib.Path:
        return self.folder / "".join(sign if sign.isalnum() else "-" for sign in one.name)

    def measure(self, compare: Checked) -> dict[str, Any]:
        """Everything, as it goes into the results."""
        contenders = self.comparison.contenders
        if self.comparison.lake:
            data.read_in(self.comparison.lake)
        for one in contenders:  # the warm-up: caches are filled, outputs are compared
            if one.rounds is None:
                self.once(one)
        for number in range(self.rounds):
            self.say(f" round {number + 1} of {self.rounds}")
            for one in random.Random(number).sample(contenders, len(contenders)):
                takes_part = one.name not in self.failed and (one.rounds is None or number < one.rounds)
                if takes_part and (outcome := self.once(one)):
                    self.runs[one.name].append(outcome)
        if self.comparison.same_cells:
            self.compare_cells(compare)
        shutil.rmtree(self.folder, ignore_errors=True)
        return self.results()

    def compare_cells(self, compare: Checked) -> None:
        done = [one for one in self.comparison.contenders if one.name not in self.failed]
        for other in done[1:]:
            self.cells[other.name] = compare(self.output(done[0]), self.output(other), other.left_out)
            self.say(f"  {other.name}: {self.cells[other.name]}")

    def results(self) -> dict[str, Any]:
        answers = {name: runs[-1].answer for name, runs in self.runs.items() if runs}
        return {
            "title": self.comparison.title,
            "what": self.comparison.what,
            "megabytes": self.comparison.megabytes,
            "rounds": self.rounds,
            "contenders": [self.row(one) for one in self.comparison.contenders],
            "goals": [goal for wanted in self.comparison.goals if (goal := self.goal(wanted))],
            "cells": self.cells,
            "disagree": disagreements(answers),
        }

    def row(self, one: Contender) -> dict[str, Any]:
        row: dict[str, Any] = {"name": one.name, "note": one.note}
        if one.name in self.failed:
            return row | {"fails": self.failed[one.name]}
        runs = self.runs[one.name]
        for metric in ("wall", "cpu", "peak_mib"):
            row[metric] = spread([getattr(each, metric) for each in runs])
            row[f"{metric}_ratio"] = spread(self.pairs(metric, CAUCE, one.name, lambda own, other: other / own))
        row["out_mb"] = self.sizes.get(one.name)
        row["answer"] = runs[-1].answer
        return row

    def pairs(self, metric: str, own: str, other: str, ratio: Callable[[float, float], float]) -> list[float]:
        both = zip(self.runs.get(own, []), self.runs.get(other, []), strict=False)
        return [ratio(getattr(a, metric), getattr(b, metric)) for a, b in both]

    def goal(self, wanted: Any) -> dict[str, Any]:
        text = f"{METRICS[wanted.metric]} against {wanted.against}" + (f" ({wanted.by})" if wanted.by != CAUCE else "")
        goal = {"text": text, "metric": wanted.metric, "times": wanted.times}
        for name in (wanted.by, wanted.against):
            if name in self.failed or not self.runs.get(name):
                return goal | {"missing": f"{name} fails" if name in self.failed else f"{name} did not run"}
        if wanted.metric == "out_mb":
            found = spread([wanted.ratio(self.sizes[wanted.by], self.sizes[wanted.against])])
        else:
            found = spread(self.pairs(wanted.metric, wanted.by, wanted.against, wanted.ratio))
        assert found
        return goal | {"found": found, "met": wanted.is_met(found[0])}


def spread(values: list[float]) -> list[float] | None:
    """Median, least, most."""
    return [round(value, 4) for value in (statistics.median(values), min(values), max(values))] if values else None


def disagreements(answers: dict[str, dict[str, Any]]) -> list[str]:
    """Facts (rows, lines, objects…) that contenders answer differently: then they did not do the same work."""
    said = []
    for fact in sorted({fact for answer in answers.values() for fact in answer} - {"files"}):
        by_value: dict[Any, list[str]] = {}
        for name, answer in answers.items():
            with contextlib.suppress(KeyError):
                by_value.setdefault(answer[fact], []).append(name)
        if len(by_value) > 1:
            said.append(f"{fact}: " + "; ".join(f"{value} by {', '.join(names)}" for value, names in by_value.items()))
    return said
