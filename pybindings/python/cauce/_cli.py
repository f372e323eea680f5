"""What `python -m cauce` does and prints, in the form of `ingest hours`, `cat` and `convert`."""

import argparse
import datetime as dt
import json
import shutil
import sys
import unicodedata
from collections.abc import Iterable

import cauce
from cauce._native import _ddl, _lake_options

# Before the names of a lake's options among the arguments.
OPTION = "lake_option:"
# Of an entry of `hours --json`, in this order.
FIELDS = (
    "hour",
    "granularity",
    "closed",
    "objects",
    "tweets",
    "bytes",
    "gaps",
    "late",
    "rejects",
    "undelivered",
    "messages",
)
_HEAD = ("hour", "state", "tweets", "objects", "bytes", "gaps", "late", "rejects")
# Flags of `convert` that are arguments of `cauce.convert` by the same name.
_OPTIONS = (
    "columns",
    "referenced",
    "raw",
    "open",
    "late",
    "skip_archived",
    "replace",
    "without_deleted",
    "messages_until",
    "compression",
    "row_group_rows",
    "threads",
    "jobs",
    "temp_dir",
    "rejects",
)
# Where the Parquet is in statements that are printed without `--to`.
_EXAMPLE = "s3://my-bucket/tweets-parquet"
_BLOCK = 1 << 20
_HOUR = "%Y-%m-%dT%H"
_TURNS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _lake(asked: argparse.Namespace) -> cauce.Lake:
    given = {name.removeprefix(OPTION): value for name, value in vars(asked).items() if name.startswith(OPTION)}
    return cauce.Lake(asked.lake, options=_lake_options("command-line", given))


def hours(asked: argparse.Namespace) -> int:
    """List hours, as a table or as JSON."""
    found, problems, left_out = _lake(asked)._listing(asked.range)
    sys.stdout.write(_json(found) if asked.json else _table(found))
    sys.stdout.flush()
    if left_out:
        _note(left_out)
    _tell(problems)
    if problems:
        raise cauce.CorruptObject(f"{len(problems)} manifests cannot be trusted")
    return 0


def cat(asked: argparse.Namespace) -> int:
    """Write the lines of hours, the bytes as they were received."""
    for hour in _find(_lake(asked), asked.range):
        if not hour.closed:
            _note(f"{hour.name} is open: this is not all of it yet")
        with hour.open(late=asked.late) as file:
            shutil.copyfileobj(file, sys.stdout.buffer, _BLOCK)
    sys.stdout.buffer.flush()
    return 0


def convert(asked: argparse.Namespace) -> int:
    """Convert hours to Parquet, or print the statements that make them a table."""
    if asked.print_ddl:
        table = {"referenced": asked.referenced, "raw": asked.raw}
        sys.stdout.write(_ddl(asked.print_ddl, asked.to or _EXAMPLE, asked.columns, **table))
        return 0
    options = {name: getattr(asked, name) for name in _OPTIONS}
    try:
        summary = cauce.convert(_lake(asked), asked.ranges or None, asked.to, progress=_progress, **options)
    except cauce.ConvertFailed as error:
        sys.stdout.write(_summary(error.summary))
        raise
    sys.stdout.write(_summary(summary))
    return 0


def failed(error: cauce.ConvertFailed) -> str:
    """Name the hours that were not converted on standard error; gives the sentence for the end."""
    for name, cause in error.summary.failed.items():
        print(f"failed: {shown(name)}: {shown(str(cause))}", file=sys.stderr)
    count = len(error.summary.failed)
    return f"{count} of {count + len(error.summary.hours)} hours were not converted"


def _find(lake: cauce.Lake, text: str) -> list[cauce.Hour]:
    """What is in the range as a whole.

    Nothing is given where a manifest in it cannot be trusted: a hole would look like silence.
    """
    if ".." not in text:
        try:
            return [lake.hour(text)]
        except cauce.HourNotFound:
            pass  # it may be in a folder that is no hour
    found, problems, _ = lake._listing(text)
    start, end = _span(text)
    whole = f"{start:{_HOUR}}..{end:{_HOUR}}"
    if any(not late for _, late in problems):
        _tell(problems)
        raise cauce.CorruptObject(f"nothing of {whole} is written, because manifests in it cannot be trusted")
    inside = [hour for hour in found if hour.start and hour.end and start <= hour.start and hour.end <= end]
    if inside:
        return inside
    if found:
        raise cauce.HourNotFound(
            f"{whole} is a part of the folder {found[0].name}, which is no hour and cannot be split: "
            "ask for all of its time"
        )
    raise cauce.HourNotFound(f"there is nothing of {whole} in {', '.join(lake.urls)}")


def _span(text: str) -> tuple[dt.datetime, dt.datetime]:
    """First moment, and the first one after it, of a range that has been read before."""
    start, _, end = text.partition("..")
    first = dt.datetime.strptime(start, _HOUR).replace(tzinfo=dt.UTC)
    if not end:
        return first, first + dt.timedelta(hours=1)
    return first, dt.datetime.strptime(end, _HOUR).replace(tzinfo=dt.UTC)


def _tell(problems: Iterable[tuple[str, bool]]) -> None:
    for problem, _ in problems:
        print(f"problem: {shown(problem)}", file=sys.stderr)


def _note(text: str) -> None:
    print(f"note: {shown(text)}", file=sys.stderr)


def _json(found: list[cauce.Hour]) -> str:
    rows = []
    for hour in found:
        values = (
            hour.name,
            hour.granularity,
            hour.closed,
            len(hour.objects),
            hour.tweets,
            hour.bytes,
            hour.gaps,
            hour.late,
            hour.rejects,
            hour.undelivered,
            hour.message_counts,
        )
        row = dict(zip(FIELDS, values, strict=True))
        rows.append(json.dumps(row, ensure_ascii=False, separators=(",", ":")))
    return "[" + "".join(("\n" if number == 0 else ",\n") + row for number, row in enumerate(rows)) + "\n]\n"


def _table(found: list[cauce.Hour]) -> str:
    if not found:
        return "no hours\n"
    rows = [
        (
            shown(hour.name),
            _state(hour),
            "-" if hour.tweets is None else str(hour.tweets),
            str(len(hour.objects)),
            _size(hour.bytes),
            str(len(hour.gaps)),
            str(hour.late),
            str(hour.rejects),
        )
        for hour in found
    ]
    widths = [max(map(len, column)) for column in zip(_HEAD, *rows, strict=True)]
    lines = []
    for row in (_HEAD, *rows):
        cells = [
            cell.ljust(width) if number < 2 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip() + "\n")
    return "".join(lines) + "\n" + _total(found)


def _state(hour: cauce.Hour) -> str:
    if hour.closed:
        return "closed"
    return "open" if hour.granularity == "hour" else f"open {hour.granularity}"


def _total(found: list[cauce.Hour]) -> str:
    closed = sum(hour.closed for hour in found)
    return (
        f"{closed} closed, {len(found) - closed} open; "
        f"{sum(hour.tweets or 0 for hour in found)} tweets in closed hours; "
        f"{sum(len(hour.objects) for hour in found)} objects, {_size(sum(hour.bytes for hour in found))}; "
        f"{sum(len(hour.gaps) for hour in found)} gaps; {sum(hour.late for hour in found)} late tweets; "
        f"{sum(hour.rejects for hour in found)} rejects\n"
    )


def _progress(so_far: cauce.Progress) -> None:
    if sys.stderr.isatty():
        state = f"{so_far.hours_done}/{so_far.hours} hours, {so_far.rows} rows, {so_far.rejects} rejects"
        done = f"\r{_size(so_far.bytes_in)}/{_size(so_far.bytes_in_total)}, {state}\x1b[K"
        sys.stderr.write(done + ("\r\x1b[K" if so_far.hours_done == so_far.hours else ""))
        sys.stderr.flush()
    elif so_far.last is not None:
        hour = so_far.last
        sizes = f"{_size(hour.bytes_out)} from {_size(hour.bytes_in)}"
        print(f"{hour.name}  {hour.rows} rows, {hour.rejects} rejects, {sizes}", file=sys.stderr)


def _summary(done: cauce.Summary) -> str:
    def total(name: str) -> int:
        return sum(getattr(hour, name) for hour in done.hours)

    read, written = total("bytes_in"), total("bytes_out")
    rate = read / 1e6 / max(done.elapsed, 1e-3)
    return (
        f"hours       {done.made} made, {len(done.hours) - done.made} up to date, {len(done.failed)} failed\n"
        f"rows        {total('rows')}\n"
        f"rejects     {total('rejects')}\n"
        f"duplicates  {total('duplicates')}\n"
        f"deleted     {total('deleted')}\n"
        f"read        {_size(read)}\n"
        f"written     {_size(written)} ({read / max(written, 1):.1f} : 1)\n"
        f"time        {done.elapsed:.1f} s ({rate:.0f} MB/s)\n"
    )


def _size(count: int) -> str:
    if count < 1024:
        return f"{count} B"
    exponent = (count.bit_length() - 1) // 10
    return f"{count / 1024**exponent:.1f} {'KMGTPE'[exponent - 1]}iB"


def shown(text: str) -> str:
    """Text from outside without what a terminal would obey: control characters and those that turn the direction."""
    return "".join(
        _SHORT.get(letter, f"\\u{{{ord(letter):x}}}")
        if letter in _TURNS or unicodedata.category(letter) == "Cc"
        else letter
        for letter in text
    )
