"""What a contender that reads from the S3-shaped server is asked: TASK ENDPOINT, and where things lie there.

Every contender has the same bucket and signs with the same made-up keys; the server looks at neither.
TASKs: `lines` (every line of 24 hours as Python bytes, counted), `small` (the same of many small objects), `list` (the objects of
24 hours), `year` (which hours of a year are closed), `table` (five typed columns of 24 hours).
"""

import sys

BUCKET, REGION = "bench", "us-east-1"
KEY_ID, SECRET = "benchmark", "no-secret"
HOURS = [f"10-31-{hour:02}" for hour in range(24)]
ROOT_OF = {"lines": "day", "list": "day", "table": "day", "small": "small"}
YEAR = "year/_hours/"


class Asked:
    """The command line, read by hand: what a parser's import takes would count as everybody's listing."""

    def __init__(self, task: str, endpoint: str, at_once: int, variant: str) -> None:
        self.task = task
        self.endpoint = endpoint
        self.at_once = at_once
        self.variant = variant

    @property
    def prefixes(self) -> list[str]:
        """The folders of the hours, with a slash at their end."""
        return [f"{ROOT_OF[self.task]}/{hour}/" for hour in HOURS]


def asked() -> Asked:
    """`TASK ENDPOINT [--at-once N] [--variant WORD]`."""
    task, endpoint, *rest = sys.argv[1:]
    options = dict(zip(rest[::2], rest[1::2], strict=True))
    return Asked(task, endpoint, int(options.pop("--at-once", "1")), options.pop("--variant", ""))


def count(data: bytes) -> int:
    """The lines of an object, each made a Python object."""
    lines = data.split(b"\n")
    return len(lines) - 1


def answer(**facts: int) -> None:
    """Prints what was found, as JSON."""
    print("{" + ", ".join(f'"{name}": {number}' for name, number in facts.items()) + "}")
