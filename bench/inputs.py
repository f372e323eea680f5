#!/usr/bin/env python3
"""Measures how fast `ingest run` takes files in each layout, against one tweet a line.

    bench/inputs.py --ingest target/release/ingest [--before OLD/ingest] [--lines 1000000] [--rounds 5] [--data FOLDER]

Makes one set of v2 tweets (`generate.py`, seeded) as lines, as one array in one line, as pages of 100 tweets with shared
includes, as a tar of 60 files of lines and as the same with each file compressed by bzip2. Each run is a whole process into a new lake on
the local disk. A round runs every layout once, in turn; ratios are of the same round, by CPU time, since other work on the machine changes
wall time more. `--before` runs another build on the lines, to show that they are not slower than they were. Prints a table in Markdown.
"""

import argparse
import bz2
import io
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator

HERE = pathlib.Path(__file__).resolve().parent
MEAN_BYTES = 4700
PAGE = 100
MEMBERS = 60


def made(data: pathlib.Path, lines: int) -> dict[str, pathlib.Path]:
    """The files, kept between runs."""
    data.mkdir(parents=True, exist_ok=True)
    plain = data / f"lines-{lines}.json"
    if not plain.exists():
        megabytes = str(lines * MEAN_BYTES // 1_000_000 + 1)
        staged = plain.with_suffix(".new")
        subprocess.run([sys.executable, HERE / "generate.py", "v2", "--mb", megabytes, "--out", staged], check=True)
        with staged.open("rb") as source, plain.with_suffix(".cut").open("wb") as cut:
            for _ in range(lines):
                line = source.readline()
                if not line:
                    sys.exit(f"the generator made fewer than {lines} lines")
                cut.write(line.rstrip(b"\r\n") + b"\n")
        staged.unlink()
        plain.with_suffix(".cut").rename(plain)
    forms = {"one a line": plain}
    makers = {"array": as_array, "pages": as_pages, "tar": as_tar, "tar of bzip2": as_tar_of_bzip2}
    for name, make in makers.items():
        path = data / f"{name.replace(' ', '-')}-{lines}"
        if not path.exists():
            staged = path.with_suffix(".new")
            make(plain, staged, lines)
            staged.rename(path)
        forms[name] = path
    return forms


def as_array(plain: pathlib.Path, path: pathlib.Path, _lines: int) -> None:
    with plain.open("rb") as source, path.open("wb") as array:
        for number, line in enumerate(source):
            array.write((b"," if number else b"[") + line.rstrip(b"\n"))
        array.write(b"]\n")


def as_pages(plain: pathlib.Path, path: pathlib.Path, _lines: int) -> None:
    with plain.open(encoding="utf-8") as source, path.open("w", encoding="utf-8") as pages:
        for batch in batches(source, PAGE):
            data, includes = [], {}
            for line in map(json.loads, batch):
                data.append(line["data"])
                for kind, objects in line.get("includes", {}).items():
                    known = includes.setdefault(kind, {})
                    for thing in objects:
                        known.setdefault(thing.get("id") or thing["media_key"], thing)
            page = {"data": data, "includes": {kind: list(known.values()) for kind, known in includes.items()}, "meta": {"result_count": len(data)}}
            pages.write(json.dumps(page, ensure_ascii=False, separators=(",", ":")) + "\n")


def as_tar(plain: pathlib.Path, path: pathlib.Path, lines: int, compress: Callable[[bytes], bytes] = bytes, ending: str = "") -> None:
    with plain.open("rb") as source, tarfile.open(path, "w") as archive:
        for number, batch in enumerate(batches(source, -(-lines // MEMBERS))):
            body = compress(b"".join(batch))
            member = tarfile.TarInfo(f"2021/10/31/00/{number:02}.json{ending}")
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))


def as_tar_of_bzip2(plain: pathlib.Path, path: pathlib.Path, lines: int) -> None:
    as_tar(plain, path, lines, bz2.compress, ".bz2")


def batches(source: Iterator, size: int) -> Iterator[list]:
    batch = []
    for line in source:
        batch.append(line)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def measured(program: pathlib.Path, path: pathlib.Path, lines: int, scratch: pathlib.Path) -> tuple[float, float]:
    """Wall and CPU seconds of one run, of which every line must have been accepted."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        place = pathlib.Path(folder)
        (place / "cauce.toml").write_text(
            f'[source]\ntype = "files"\npaths = [{json.dumps(str(path))}]\n[lake]\nurl = "lake"\npartition_by = "created_at"\n[status]\nlisten = "off"\n',
            encoding="utf-8",
        )
        begin = time.monotonic()
        process = subprocess.Popen([program, "run"], cwd=place, stderr=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"]})
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - begin
        if status != 0 or f"accepted={lines} " not in said:
            sys.exit(f"{path}: status {status}\n{said[-2000:]}")
        shutil.rmtree(place / "lake", ignore_errors=True)
    return wall, usage.ru_utime + usage.ru_stime


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--ingest", type=pathlib.Path, required=True)
    arguments.add_argument("--before", type=pathlib.Path)
    arguments.add_argument("--lines", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--data", type=pathlib.Path, default=HERE / ".data" / "inputs")
    given = arguments.parse_args()
    forms = made(given.data.resolve(), given.lines)
    ingest = given.ingest.resolve()
    runs = {name: (ingest, path) for name, path in forms.items()}
    if given.before:
        runs["one a line, before"] = (given.before.resolve(), forms["one a line"])
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for number in range(given.rounds):
        # Each round begins with another layout.
        order = list(runs)[number % len(runs) :] + list(runs)[: number % len(runs)]
        for name in order:
            program, path = runs[name]
            found[name].append(measured(program, path, given.lines, given.data))
            print(f"round {number + 1}: {name}: wall {found[name][-1][0]:.1f} s, CPU {found[name][-1][1]:.1f} s", file=sys.stderr)
    print(f"{given.lines} v2 tweets, median of {given.rounds} rounds; CPU against one a line in the same round (lowest to highest)\n")
    print("| layout | lines a second | lines a CPU second | CPU against one a line |\n|---|---|---|---|")
    for name, times in found.items():
        wall, cpu = (statistics.median(time[index] for time in times) for index in (0, 1))
        ratios = sorted(time[1] / plain[1] for time, plain in zip(times, found["one a line"], strict=True))
        spread = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f})"
        print(f"| {name} | {given.lines / wall:,.0f} | {given.lines / cpu:,.0f} | {spread} |")


if __name__ == "__main__":
    main()
