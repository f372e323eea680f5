"""Hours of a lake to Parquet on a Spark cluster: `spark-submit convert.py --to s3://bucket/parquet --start 2026-11-01 --end 2026-12-01`.

Each hour is a task, and each task calls `cauce.convert` where it runs: rows, schema and files are those of `ingest convert`, and an hour
that is there already is left as it is. Spark only shares out the hours. Keys are taken from the environment of each process, here and on
the executors; what else says where the lake is crosses with the job.

The sums are those of the reports that the tasks give back: an accumulator would count an hour twice whose task was repeated.
"""

import argparse
import dataclasses
import json
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

import cauce
from cauce._native import _lake_options
from pyspark.sql import SparkSession

# Failures that are told one by one.
MOST_TOLD = 20


@dataclasses.dataclass(frozen=True)
class Done:
    """What became of an hour: its report, why it failed, or why it was left out."""

    name: str
    report: cauce.HourReport | None = None
    failure: str = ""
    archived: str = ""


def converter(lake: cauce.Lake, url: str, threads: int, options: dict[str, Any]) -> Callable[[str], Done]:
    """The work of a task. What an hour fails for is given back, so that it does not keep the others from being converted."""

    def convert(hour: str) -> Done:
        import cauce

        try:
            summary = cauce.convert(lake, [hour], url, jobs=1, threads=threads, **options)
        except cauce.ConvertFailed as error:
            return Done(hour, failure=str(error.__cause__ or error))
        except cauce.Error as error:
            return Done(hour, failure=str(error))
        if summary.archived:
            return Done(hour, archived=str(next(iter(summary.archived.values()))))
        return Done(hour, summary.hours[0])

    return convert


def answer(done: Sequence[Done]) -> dict[str, Any]:
    """The sums, and the hours that failed or were left out, with their reasons."""
    reports = [each.report for each in done if each.report is not None]
    return {
        "hours": len(reports),
        "made": sum(report.made for report in reports),
        "tweets": sum(report.rows for report in reports if report.made),
        "rejects": sum(report.rejects for report in reports if report.made),
        "bytes": sum(report.bytes_out for report in reports if report.made),
        "failed": {each.name: each.failure for each in done if each.report is None and not each.archived},
        "archived": {each.name: each.archived for each in done if each.archived},
    }


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="convert.py", description="Hours of a lake to Parquet, one task an hour.")
    parser.add_argument("hours", nargs="*", metavar="HOUR", help="2026-11-22T05; without any, the closed ones from --start to --end")
    parser.add_argument("--to", required=True, metavar="URL", help="s3://bucket/prefix, or a folder that all executors share")
    parser.add_argument("--rejects", metavar="URL", help="where the lines go that did not read; beside the Parquet where it is not given")
    parser.add_argument("--start", help="the first hour")
    parser.add_argument("--end", help="the hour after the last one")
    parser.add_argument("--lake", action="append", metavar="URL", help="CAUCE_LAKE__URL where it is not given; several are read as one")
    for name, what in _settings().items():
        parser.add_argument(f"--{name.replace('_', '-')}", help=f"{what} CAUCE_LAKE__… where it is not given".replace("%", "%%"))
    parser.add_argument("--columns", help="only these, by comma")
    for flag in ("referenced", "raw", "late", "replace"):
        parser.add_argument(f"--{flag}", action="store_true", help=f"as in `ingest convert --{flag}`")
    parser.add_argument("--skip-archived", action="store_true", help="leave out hours that are archived (S3 Glacier), and list them")
    parser.add_argument("--answer", type=pathlib.Path, metavar="FILE", help="where the sums are written, as JSON")
    return parser.parse_args(arguments)


def lake_of(asked: argparse.Namespace) -> cauce.Lake:
    """The lake of the command line and the variables."""
    given = {name: getattr(asked, name) for name in _settings()}
    return cauce.Lake(asked.lake, options=_lake_options("command-line", given))


def _settings() -> dict[str, str]:
    """What each setting of `cauce` means, by name; without keys, which everyone on a machine could read on a command line."""
    return {name: what for name, kind, what in cauce.LakeOptions.known() if kind != "secret"}


def main(arguments: Sequence[str]) -> int:
    """Converts, and gives the exit code: 1 where an hour failed."""
    asked = parsed(arguments)
    lake = lake_of(asked)
    hours = asked.hours or [hour.name for hour in lake.hours(asked.start, asked.end, closed=True) if hour.granularity == "hour"]
    options: dict[str, Any] = {name: True for name in ("referenced", "raw", "late", "replace", "skip_archived") if getattr(asked, name)}
    if asked.rejects:
        options["rejects"] = asked.rejects
    if asked.columns:
        options["columns"] = asked.columns.split(",")
    spark = SparkSession.builder.appName("cauce convert").getOrCreate()
    try:
        context = spark.sparkContext
        if context.uiWebUrl:
            print(f"tracking URL: {context.uiWebUrl}", file=sys.stderr, flush=True)
        # A task must not take more processors than Spark has given it.
        threads = int(context.getConf().get("spark.task.cpus", "1") or "1")
        context.setJobDescription(f"{len(hours)} hours to Parquet")
        found = answer(context.parallelize(hours, max(1, len(hours))).map(converter(lake, asked.to, threads, options)).collect())
    finally:
        spark.stop()
    if asked.answer:
        asked.answer.write_text(json.dumps(found))
    print("{made} of {hours} hours made, {tweets} tweets, {rejects} rejects, {bytes} bytes".format(**found))
    for name, reason in found["archived"].items():
        print(f"hour {name} left out: {reason}")
    for name, failure in list(found["failed"].items())[:MOST_TOLD]:
        print(f"hour {name} failed: {failure}", file=sys.stderr)
    if found["failed"]:
        print(f"{len(found['failed'])} hours failed", file=sys.stderr)
    return 1 if found["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
