"""From results to docs/benchmarks.md. Pure but for reading and writing its files."""

import json
import pathlib
from typing import Any

Results = dict[str, Any]
Spread = list[float]

INTRO = """\
# Benchmarks

<!-- Written by `make bench`. Change bench/notes.md and bench/harness/report.py instead. -->

Cauce and what a user would pick instead, doing the same work in the same run: whole processes from start to end with imports,
one after the other in turn, after a warm-up each, input in the page cache as reading it from the disk leaves it there. A figure is the
median of the rounds with the least and the most; a ratio is the median of the ratios within a round, so that a machine that is busy for a
while tilts nothing. "Times Cauce" says how many times as much as Cauce.
"""

# Load average (1 minute) beyond one a core from which something else counts as running: the build that comes first leaves some.
NOISE = 1

GROUPS = {
    "convert": "Convert one large hour",
    "day": "Convert a day",
    "whole": "Convert the whole table",
    "spark": "Read in Spark",
    "read": "Read lines from S3",
    "latency": "Read lines from S3, far away",
    "table": "Read a typed table from S3",
    "list": "List",
    "fork": "After a fork",
}


def load(file: pathlib.Path, machine: dict[str, str]) -> Results:
    """Earlier results, so that a part may be measured alone. Those of another machine do not count."""
    fresh: Results = {"machine": {}, "groups": {}}
    if not file.exists():
        return fresh
    old: Results = json.loads(file.read_text())
    kept = {name: value for name, value in old["machine"].items() if name != "Cauce"}
    return old if kept == {name: value for name, value in machine.items() if name != "Cauce"} else fresh


def write(results: Results, file: pathlib.Path, notes: pathlib.Path) -> None:
    parts = [INTRO, about(results), goals(results)]
    for group, title in GROUPS.items():
        if comparisons := results["groups"].get(group):
            parts.append(f"## {title}\n")
            parts += [comparison(one, int(results["machine"]["cores"])) for one in comparisons.values()]
    if notes.exists():
        parts.append(notes.read_text())
    file.write_text("\n".join(part.rstrip("\n") + "\n" for part in parts))


def about(results: Results) -> str:
    machine = results["machine"]
    lines = ["## Machine, versions, command\n", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in machine.items() if name != "Cauce"]  # each comparison says its own
    lines.append(f"| data | {results['data']}, seeded |")
    lines.append(
        "\n`make bench` measures all of it; `make bench BENCH=convert,read BENCH_MB=256 BENCH_ROUNDS=3` some of it, on less. `bench/README.md` says how."
    )
    return "\n".join(lines) + "\n"


def goals(results: Results) -> str:
    """All goals in one table."""
    lines = ["## Goals\n", "| what | goal | measured | |", "|---|---|---|---|"]
    for group in GROUPS:
        for one in results["groups"].get(group, {}).values():
            for goal in one["goals"]:
                lines.append(f"| {one['title']}: {goal['text']} | {wanted(goal)} | {found(goal)} | {mark(goal)} |")
    return "\n".join(lines) + "\n" if len(lines) > 3 else ""


def wanted(goal: dict[str, Any]) -> str:
    return f"at most {goal['times']:g} times" if goal["metric"] == "out_mb" else f"{goal['times']:g} times less"


def found(goal: dict[str, Any]) -> str:
    if "missing" in goal:
        return str(goal["missing"])
    middle, least, most = goal["found"]
    return f"{middle:.2f}" + (f" ({least:.2f}–{most:.2f})" if least != most else "")


def mark(goal: dict[str, Any]) -> str:
    if "missing" in goal:
        return "not measured"
    if goal["met"]:
        return "met"
    middle, times = goal["found"][0], goal["times"]
    short = middle / times - 1 if goal["metric"] == "out_mb" else 1 - middle / times
    return f"**not met**, by {short:.0%}"


def comparison(one: dict[str, Any], cores: int) -> str:
    size = f" Input {one['megabytes']:,.0f} MB." if one["megabytes"] else ""
    lines = [f"### {one['title']}\n", f"{one['what']}{size} Rounds: {one['rounds']}. Cauce: {one['commit']}.\n"]
    if one["load"] > cores + NOISE:
        lines.append(f"**The machine was busy**: its load was {one['load']:g} before the run. Only the ratios mean something, and not much.\n")
    with_size = any(row.get("out_mb") for row in one["contenders"])
    heads = ["", "wall s", "CPU s", "peak MiB", *(["out MB"] if with_size else []), *(["MB/s"] if one["megabytes"] else [])]
    heads += ["times Cauce: wall", "CPU", "memory"]
    lines += [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    lines += [f"| {' | '.join(cells(row, one['megabytes'], with_size, len(heads)))} |" for row in one["contenders"]]
    lines.append("")
    if one["cells"]:
        said = "; ".join(f"{name}: {text}" for name, text in one["cells"].items())
        lines.append(f"Cells held against those of {first(one)}, NULL and an empty list counting as equal: {said}.\n")
    if one["disagree"]:
        lines.append(f"**Answers differ**: {'; '.join(one['disagree'])}.\n")
    return "\n".join(lines)


def first(one: dict[str, Any]) -> str:
    return str(next(row["name"] for row in one["contenders"] if "fails" not in row))


def cells(row: dict[str, Any], megabytes: float | None, with_size: bool, width: int) -> list[str]:
    name = row["name"] + (f" ({row['note']})" if row["note"] else "")
    if "fails" in row:
        return [name, f"fails: {row['fails']}", *[""] * (width - 2)]
    if not row["wall"]:
        return [name, "did not run", *[""] * (width - 2)]
    text = [name, seconds(row["wall"]), f"{row['cpu'][0]:.2f}", f"{row['peak_mib'][0]:.0f}"]
    if with_size:
        text.append(f"{row['out_mb']:.1f}" if row["out_mb"] else "")
    if megabytes:
        text.append(f"{megabytes / row['wall'][0]:,.0f}")
    return text + [f"{row[f'{metric}_ratio'][0]:.2f}" if row[f"{metric}_ratio"] else "" for metric in ("wall", "cpu", "peak_mib")]


def seconds(spread: Spread) -> str:
    middle, least, most = spread
    digits = 2 if middle >= 1 else 3
    return f"{middle:.{digits}f} ({least:.{digits}f}–{most:.{digits}f})"
