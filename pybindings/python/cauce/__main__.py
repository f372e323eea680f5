"""`python -m cauce`: `hours`, `cat` and `convert` of `ingest`, where only the wheel is installed.

Flags, output and exit codes are those of `ingest`. The work is done by the same Rust; here are arguments and text.
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import cauce
from cauce import _cli

FAILURE, USAGE, STORE = 1, 2, 4
# These say that something is there and not as it should be; other errors of a store are its own.
_FAILURES = (cauce.HourNotFound, cauce.CorruptObject, cauce.ObjectNotFound, cauce.HourNotClosed, cauce.AlreadyThere)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cauce",
        description="Reads a lake as ingest does.",
        epilog="Exit codes: 0 done, 1 failure, 2 usage or configuration, 4 store.",
        allow_abbrev=False,
    )
    parser.add_argument("-V", "--version", action="version", version=f"cauce {cauce.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    hours = _command(commands, "hours", "List the lake's hours: open or closed, objects, tweets, bytes, gaps")
    hours.add_argument("range", nargs="?", metavar="HOURS", help=f"Only these: {_HOURS}")
    hours.add_argument("--json", action="store_true", help=f"One JSON array of {{{', '.join(_cli.FIELDS)}}}")
    hours.set_defaults(run=_cli.hours)

    cat = _command(commands, "cat", "Write the lines of hours to standard output")
    cat.add_argument("range", metavar="HOURS", help=_HOURS)
    cat.add_argument("--late", action="store_true", help="The late tweets instead: those that came after their hour")
    cat.set_defaults(run=_cli.cat)

    convert = _command(commands, "convert", "Hours to Parquet")
    add = convert.add_argument
    add(
        "ranges", nargs="*", metavar="HOURS", help=f"{_HOURS}; without any, all closed hours that are not converted yet"
    )
    add("--to", metavar="URL", help="Where the Parquet goes: s3://bucket/prefix or a folder, outside the lake")
    add("--rejects", metavar="URL", help="Where the lines go that did not read; without it, pq-rejects beside pq")
    add("--print-ddl", metavar="DIALECT", help="Print the statements that make the Parquet one table, and exit")
    add("--columns", metavar="NAMES", type=_names, help="Only these columns, such as tweet_id,text,author.username")
    add("--referenced", action="store_true", help="Retweeted, quoted and answered posts as rows of their own")
    add("--raw", action="store_true", help="The line as it came, in a column raw")
    add("--open", action="store_true", help="Open hours too, and folders that are no hours")
    add("--late", action="store_true", help="Late tweets too: those that came after their hour was closed")
    add("--skip-archived", action="store_true", help="Leave out archived hours and list them, without an error")
    add("--replace", action="store_true", help="Make anew what is there already")
    add("--without-deleted", action="store_true", help="Leave out tweets that were deleted")
    add("--messages-until", metavar="HOUR", help="The last hour whose messages are considered for that")
    add("--compression", metavar="CODEC", default="zstd", help="zstd, zstd:1 to zstd:22, or none (default: zstd)")
    add("--row-group-rows", metavar="ROWS", type=_count, default=122_880, help="Most rows in a row group")
    add("--threads", metavar="N", type=_count, help="Threads that decode and encode; as many as there are processors")
    add("--jobs", metavar="N", type=_count, default=2, help="Hours on their way at once (default: 2)")
    add("--temp-dir", metavar="FOLDER", help="Where a file grows before it is put")
    convert.set_defaults(run=_cli.convert)
    return parser


# The others of `LakeOptions.known` are those of S3.
_OF_LAKE = ("pattern", "time_zone", "flume_escapes")
_HOURS = "2026-11-22T05, or 2026-11-22T00..2026-11-23T00 (end not included)"


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, about: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=about, description=about, allow_abbrev=False)
    lake = command.add_argument_group(
        "lake", "What is not given comes from CAUCE_LAKE__URL, CAUCE_LAKE__PATTERN, CAUCE_LAKE__S3__ENDPOINT_URL, …"
    )
    lake.add_argument(
        "--lake", action="append", metavar="URL", help="s3://bucket/prefix or a folder; repeat it for several"
    )
    s3 = command.add_argument_group("S3 options", "Keys have no flag: everyone on a machine can read a command line.")
    for name, kind, about in cauce.LakeOptions.known():
        if kind == "secret":
            continue
        # A switch without a value is on.
        value: dict[str, Any] = {"nargs": "?", "const": "true"} if kind == "switch" else {}
        group = lake if name in _OF_LAKE else s3
        about = about.rstrip(".").replace("`", "").replace("%", "%%")
        group.add_argument(
            f"--{name.replace('_', '-')}", dest=f"{_cli.OPTION}{name}", metavar=kind.upper(), help=about, **value
        )
    # Configurations of an agent are read by its program.
    for flags in (("-c", "--config"), ("-f", "--conf-file"), ("-n", "--name")):
        lake.add_argument(*flags, action=_OfIngest, help=argparse.SUPPRESS)
    return command


class _OfIngest(argparse.Action):
    def __call__(
        self, parser: argparse.ArgumentParser, _namespace: object, _values: object, flag: str | None = None
    ) -> NoReturn:
        parser.error(f"{flag} is read by ingest alone: say --lake URL, or set CAUCE_LAKE__URL")


def _names(text: str) -> list[str]:
    return text.split(",")


def _count(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number, at least 1")
    return number


def _ended(_number: int, _frame: object) -> NoReturn:
    raise SystemExit(143)


def main(line: Sequence[str] | None = None) -> int:
    """Run a command line, and return its exit code."""
    parser = _parser()
    asked = parser.parse_args(line)
    if asked.command == "convert":
        # As a command line that lacks it, and as clap has it.
        if asked.to is None and asked.print_ddl is None:
            parser.error("convert: the argument --to URL is required")
        if asked.messages_until and not asked.without_deleted:
            parser.error("convert: --messages-until needs --without-deleted")
        if asked.print_ddl and asked.ranges:
            parser.error("convert: --print-ddl takes no HOURS")
    run: Callable[[argparse.Namespace], int] = asked.run
    # So that a conversion leaves nothing behind.
    signal.signal(signal.SIGTERM, _ended)
    try:
        code = run(asked)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # A reader that has gone away (`| head`) has what it wanted. What is left goes nowhere, when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except cauce.ConvertFailed as error:
        return _refused(_cli.failed(error), _code(next(iter(error.summary.failed.values()), error)))
    except (cauce.Error, ValueError) as error:
        return _refused(str(error), _code(error))


def _code(error: Exception) -> int:
    if isinstance(error, cauce.ConfigError) or not isinstance(error, cauce.Error):
        return USAGE
    return FAILURE if isinstance(error, _FAILURES) else STORE


def _refused(text: str, code: int) -> int:
    print(f"python -m cauce: {_cli.shown(text)}", file=sys.stderr)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
