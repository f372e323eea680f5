"""The data: made once, kept in bench/.data (or BENCH_DATA), as lakes with manifests, the way an agent would have left them.

`day`: 24 hours as folders of objects. `hour`: the same lines as one object of one hour. `s3`: what the server serves.
"""

import datetime
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

BENCH = pathlib.Path(__file__).resolve().parent.parent
OWN = BENCH / "generate.py"
DERIVED = BENCH.parent.parent / "shared" / "tools" / "gen_tweets.py"  # templates of real tweets, where they are there
FIRST_HOUR = datetime.datetime(2021, 10, 31, tzinfo=datetime.UTC)
SMALL_MB, SMALL_AN_HOUR = 65, 60  # 1,440 objects of 45 KB
YEAR_HOURS = 8760


def made(folder: pathlib.Path) -> pathlib.Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def generator() -> pathlib.Path:
    return DERIVED if DERIVED.exists() else OWN


def origin() -> str:
    """What the report says of the data."""
    return "lines from templates of real tweets" if generator() == DERIVED else "lines of bench/generate.py"


def day(root: pathlib.Path, kind: str, megabytes: int, an_hour: int = 12) -> pathlib.Path:
    """A lake of 24 closed hours."""
    lake = root / f"{generator().stem}-{kind}-{megabytes}-{an_hour}" / "day"
    if not (lake / "_hours").exists():
        shutil.rmtree(lake, ignore_errors=True)
        print(f"making {megabytes} MB of {kind} in {24 * an_hour} objects", file=sys.stderr)
        command = [sys.executable, str(generator()), kind, "--mb", str(megabytes), "--parts-dir", str(lake), "--files-per-hour", str(an_hour)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for folder in sorted(lake.iterdir()):
            begin = FIRST_HOUR + datetime.timedelta(hours=int(folder.name[-2:]))
            close(lake, begin, sorted(folder.iterdir()))
    return lake


def hour(root: pathlib.Path, kind: str, megabytes: int) -> pathlib.Path:
    """A lake of one closed hour that is one object, with the lines of `day`."""
    whole_day = day(root, kind, megabytes)
    lake = whole_day.parent / "hour"
    if not (lake / "_hours").exists():
        shutil.rmtree(lake, ignore_errors=True)
        name = lake / "10-31-00" / f"tweets.{int(FIRST_HOUR.timestamp() * 1000)}.json"
        name.parent.mkdir(parents=True)
        with open(name, "wb") as file:
            for part in sorted(whole_day.glob("10-*/*.json")):
                with open(part, "rb") as lines:
                    shutil.copyfileobj(lines, file, 1 << 20)
        close(lake, FIRST_HOUR, [name])
    return lake


def served(root: pathlib.Path, megabytes: int) -> pathlib.Path:
    """The server's folder: a day, the same in small objects, a year of manifests."""
    folder = root / f"s3-{generator().stem}-{megabytes}"
    folder.mkdir(parents=True, exist_ok=True)
    for name, lake in (("day", day(root, "v2", megabytes)), ("small", day(root, "v2", SMALL_MB, SMALL_AN_HOUR)), ("year", year(root))):
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(lake.resolve())
    return folder


def year(root: pathlib.Path) -> pathlib.Path:
    """A lake of which only the manifests are there: who lists does not read the rest."""
    lake = root / "year"
    if not lake.exists():
        for number in range(YEAR_HOURS):
            begin = datetime.datetime(2021, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(hours=number)
            close(lake, begin, [])
    return lake


def size(lake: pathlib.Path) -> int:
    return sum(file.stat().st_size for file in lake.glob("1*/*.json"))


def read_in(lake: pathlib.Path) -> None:
    """Puts a lake's objects into the page cache by reading them from the disk, front to end, as a job finds what was read before it.

    Where they are still there from being written, in whatever pieces, Linux may hold them in small pages only, and reading them then costs up to
    twice as much: figures would depend on who made the data, and on when.
    """
    for file in sorted(lake.glob("1*/*.json")):
        descriptor = os.open(file, os.O_RDONLY)
        try:
            if hasattr(os, "posix_fadvise"):
                os.fsync(descriptor)  # only what is on the disk can be dropped
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            while os.read(descriptor, 1 << 20):
                pass
        finally:
            os.close(descriptor)


def close(lake: pathlib.Path, begin: datetime.datetime, objects: Iterable[pathlib.Path]) -> None:
    """Writes an hour's manifest (docs/lake-format.md)."""
    listed = [described(lake, file) for file in objects]
    end = begin + datetime.timedelta(hours=1, seconds=1)
    manifest = {
        "version": 1,
        "hour": begin.strftime("%Y-%m-%dT%H"),
        "agent": "bench",
        "epoch": 1,
        "guarantee": "exactly-once",
        "objects": listed,
        "messages": [],
        "tweets": sum(one["lines"] for one in listed),
        "duplicates": 0,
        "gaps": [],
        "repairs": [],
        "opened_at": begin.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "closed_at": end.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "tool_version": "bench",
    }
    file = lake / "_hours" / f"{manifest['hour']}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(manifest, separators=(",", ":")) + "\n")


def described(lake: pathlib.Path, file: pathlib.Path) -> dict[str, Any]:
    digest, lines = hashlib.sha256(), 0
    with open(file, "rb") as content:
        while block := content.read(1 << 20):
            digest.update(block)
            lines += block.count(b"\n")
    first = int(file.name.split(".")[1]) // 1000
    seconds = 60  # all lines came within a minute of the name: arrivals are a few entries, as many as matter for size
    arrivals = sorted({first + k: lines * (k + 1) // seconds for k in range(seconds)}.items())
    return {
        "key": str(file.relative_to(lake)),
        "bytes": file.stat().st_size,
        "lines": lines,
        "sha256": digest.hexdigest(),
        "codec": "none",
        "path": "stream",
        "arrivals": arrivals,
    }
