"""What a contender that reads from the S3-shaped server is asked: TASK ENDPOINT, and where things lie there.

Every contender has the same bucket and signs with the same made-up keys; the server looks at neither.
TASKs: `lines` (every line of 24 hours as Python bytes, counted), `small` (the same of many small objects), `list` (the objects of
24 hours), `year` (which hours of a year are closed), `table` (five typed columns of 24 hours).
"""

import argparse
import json
import sys
from dataclasses import dataclass

BUCKET, REGION = "bench", "us-east-1"
KEY_ID, SECRET = "benchmark", "no-secret"
HOURS = [f"10-31-{hour:02}" for hour in range(24)]
ROOT_OF = {"lines": "day", "list": "day", "table": "day", "small": "small"}
YEAR = "year/_hours/"


@dataclass(frozen=True)
class Asked:
    """The command line."""

    task: str
    endpoint: str
    at_once: int
    variant: str

    @property
    def prefixes(self) -> list[str]:
        """The folders of the hours, with a slash at their end."""
        return [f"{ROOT_OF[self.task]}/{hour}/" for hour in HOURS]


def asked() -> Asked:
    parser = argparse.ArgumentParser()
    parser.add_argument("task", choices=["lines", "small", "list", "year", "table"])
    parser.add_argument("endpoint")
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--variant", default="")
    given = parser.parse_args()
    return Asked(given.task, given.endpoint, given.at_once, given.variant)


def count(data: bytes) -> int:
    """The lines of an object, each made a Python object."""
    lines = data.split(b"\n")
    return len(lines) - 1


def answer(**facts: object) -> None:
    json.dump(facts, sys.stdout)
