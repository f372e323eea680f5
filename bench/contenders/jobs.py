"""What a converting contender is asked: KIND IN OUT, and how it answers.

IN is one file, or a day: a folder of folders. Each becomes one Parquet file in OUT, so that everybody writes as many.
"""

import argparse
import json
import pathlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Job:
    """Some files of lines, and the Parquet file that they become."""

    inputs: list[str]
    output: str


@dataclass(frozen=True)
class Asked:
    """The command line."""

    kind: str
    jobs: list[Job]
    threads: int
    variant: str


def asked() -> Asked:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["v1", "v2"])
    parser.add_argument("input", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--variant", default="")
    given = parser.parse_args()
    return Asked(given.kind, list(jobs(given.input, given.output)), given.threads, given.variant)


def jobs(source: pathlib.Path, target: pathlib.Path) -> Iterator[Job]:
    target.mkdir(parents=True, exist_ok=True)
    if source.is_file():
        yield Job([str(source)], str(target / "tweets.parquet"))
        return
    for folder in sorted(source.iterdir()):
        if folder.is_dir() and not folder.name.startswith("_"):
            yield Job([str(file) for file in sorted(folder.glob("*.json"))], str(target / f"{folder.name}.parquet"))


def answer(**facts: object) -> None:
    json.dump(facts, sys.stdout)
