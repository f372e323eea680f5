#!/usr/bin/env python3
"""make bench: Cauce and what a user would pick instead, in turn in the same run; writes docs/benchmarks.md.

Environment: BENCH (comma-separated of convert, day, whole, spark, read, latency, table, list, fork; default all), BENCH_MB (to convert,
1024), BENCH_S3_MB (to read, 256), BENCH_SPARK_MB (to read in Spark, 5600),
BENCH_ROUNDS (5), BENCH_THREADS (2), BENCH_DATA (where the data is kept, bench/.data).
A part that is not asked for keeps its figures, as long as they are of this machine.
"""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Callable

from harness import convert, data, machine, read, report, spark
from harness.measure import Failed, run
from harness.places import REPOSITORY, Places
from harness.plan import Comparison
from harness.processors import hold_to
from harness.rounds import Rounds, environment
from harness.server import serving

RESULTS = REPOSITORY / "bench" / "results.json"
CONVERTING: dict[str, Callable[[Places], list[Comparison]]] = {
    "convert": convert.one_file,
    "day": convert.one_day,
    "whole": convert.whole_table,
    "spark": spark.reading,
}
READING: dict[str, Callable[[Places, str], list[Comparison]]] = {
    "read": read.lines,
    "latency": read.latency,
    "table": read.typed,
    "list": read.listing,
    "fork": read.fork,
}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def asked() -> list[str]:
    known = [*CONVERTING, *READING]
    names = [name.strip() for name in (os.environ.get("BENCH") or ",".join(known)).split(",") if name.strip()]
    if unknown := [name for name in names if name not in known]:
        sys.exit(f"BENCH names {', '.join(unknown)}: there are {', '.join(known)}")
    return names


def comparer(places: Places) -> Callable[[pathlib.Path, pathlib.Path, str], str]:
    def compare(one: pathlib.Path, other: pathlib.Path, left_out: str) -> str:
        outcome = run(places.script("compare.py", one, other, "--except", left_out), environment({}), 600)
        if isinstance(outcome, Failed):
            return f"not compared: {outcome.reason}"
        answer = outcome.answer
        if answer["different"]:
            return "differs in " + ", ".join(f"{name} ({found['cells']} cells)" for name, found in sorted(answer["different"].items()))
        return f"{answer['rows']:,} rows of {answer['columns']} columns equal"

    return compare


def main() -> None:
    names, places = asked(), Places()
    about = machine.described(places.python, REPOSITORY)
    results = report.load(RESULTS, about)
    load = os.getloadavg()[0]
    hold_to(places.threads)
    with tempfile.TemporaryDirectory(prefix="bench-out-", dir=data.made(places.data)) as folder:

        def measure(group: str, comparison: Comparison) -> None:
            say(f"== {comparison.title}")
            done = Rounds(comparison, places.rounds, pathlib.Path(folder) / "out", say).measure(comparer(places))
            results["groups"].setdefault(group, {})[comparison.key] = done | {"load": round(load, 1), "commit": about["Cauce"]}

        for name in (name for name in CONVERTING if name in names):
            results["groups"][name] = {}
            for comparison in CONVERTING[name](places):
                measure(name, comparison)
        if wanted := [name for name in READING if name in names]:
            served = data.served(places.data, places.s3_megabytes)
            for latency_ms in (0, read.LATENCY_MS):
                of_latency = [name for name in wanted if (name == "latency") == (latency_ms > 0)]
                with serving(places.server, served, latency_ms) if of_latency else contextlib.nullcontext("") as endpoint:
                    for name in of_latency:
                        results["groups"][name] = {}
                        for comparison in READING[name](places, endpoint):
                            measure(name, comparison)
    results["machine"] |= about
    results["data"] = data.origin()
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    report.write(results, REPOSITORY / "docs" / "benchmarks.md", REPOSITORY / "bench" / "notes.md")
    say("wrote docs/benchmarks.md")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"bench: {error}")
