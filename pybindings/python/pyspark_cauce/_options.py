"""The options of `format("cauce")`: read, checked, and made into a lake.

Keys are no options: Spark shows options in its plans.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import cauce

# What a Spark user might try beside the keys of `cauce` itself, and what must not stand in a plan.
_SECRETS = ("accesskey", "secretkey", "awsaccesskeyid", "awssecretaccesskey")


@dataclass(frozen=True)
class Options:
    """What was asked for. Names as users write them stand in `_OWN`, those of the lake's own settings in `cauce`."""

    urls: tuple[str, ...] = ()
    # How the lake is read and S3 is reached, as one value; a pickle of it holds no keys.
    lake_options: "cauce.LakeOptions | None" = None
    start: str | None = None
    end: str | None = None
    closed_only: bool = True
    late: bool = False
    referenced: bool = False
    raw: bool = False
    on_reject: str = "skip"
    pushdown: bool = False
    batch_rows: int = 10_000
    # None leaves it to the plan.
    split_bytes: int | None = None
    max_hours: int = 0

    @classmethod
    def read(cls, given: Mapping[str, str]) -> "Options":
        """What Spark hands over; it writes all names in small letters.

        Raises:
            ValueError: An option is unknown or cannot be read; the text names it.
        """
        from cauce._native import _lake_options

        found: dict[str, Any] = {}
        lake: dict[str, str] = {}
        known = _of_the_lake()
        secrets = {*_SECRETS, *(option for option, (_, kind) in known.items() if kind == "secret")}
        for written, text in given.items():
            name = written.lower()
            if name in ("path", "url", "paths"):
                if "urls" in found:
                    raise ValueError("the lake is given twice: by load(…), path or url, say it once")
                found["urls"] = tuple(json.loads(text)) if name == "paths" else _several(text)
            elif name.replace("_", "").replace(".", "") in secrets:
                raise ValueError(
                    f"{written} is no option, because Spark shows options in its plans: give keys to the driver and "
                    "to the executors through their environment (AWS_ACCESS_KEY_ID …), a profile or a role"
                )
            elif name in known:
                lake[known[name][0]] = text
            elif name in _NAMES:
                field, parse = _NAMES[name]
                try:
                    found[field] = parse(text)
                except ValueError as error:
                    raise ValueError(f"option {_WRITTEN[name]}: {text!r} {error}") from None
            else:
                raise ValueError(f"format cauce has no option {written}{_nearest(name)}")
        found["lake_options"] = _lake_options("spark", lake)
        asked = cls(**found)
        # Told where the options are read, not when the first task fails.
        asked.lake()
        asked.span()
        return asked

    def lake(self) -> "cauce.Lake":
        """The lake; what no option says comes from the `CAUCE_LAKE__…` variables of this process."""
        import cauce

        return cauce.Lake(list(self.urls) or None, options=self.lake_options)

    def span(self) -> tuple[Any, Any]:
        """The hours asked for, the last one not included, as the module takes them.

        Raises:
            ValueError: `start` or `end` is no time.
        """
        return _moment("start", self.start), _moment("end", self.end)

    def check_streaming(self) -> None:
        """Refuses what has no meaning for a stream, whose hours are closed and read once.

        Raises:
            ValueError: Such an option is set.
        """
        if not self.closed_only:
            raise ValueError("option closedOnly: a stream reads closed hours only, since an open one may still grow")
        if self.late:
            raise ValueError(
                "option late: late tweets come after their hour was streamed, so only spark.read gives them"
            )
        if self.pushdown:
            raise ValueError("option pushdown: Spark pushes filters down to batch reads only")

    def with_span(self, start: str | None, end: str | None) -> "Options":
        """The same for other hours."""
        return replace(self, start=start, end=end)


def _several(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _moment(name: str, text: str | None) -> Any:
    """A date or an hour; a date is its first hour."""
    if text is None:
        return None
    import datetime as dt

    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"option {name}: {text!r} is no hour: write 2026-11-22T05, or 2026-11-22 for its first hour"
        ) from None
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("must be true or false")
    return text.lower() == "true"


def _count(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.strip().isdecimal() or int(text) < least:
            raise ValueError(f"must be a whole number, at least {least}")
        return int(text)

    return parse


def _on_reject(text: str) -> str:
    if text not in ("skip", "fail"):
        raise ValueError("must be skip or fail")
    return text


def _of_the_lake() -> dict[str, tuple[str, str]]:
    """Name and kind of each setting of `cauce`, by its option in small letters: `endpointurl`."""
    import cauce

    return {name.replace("_", ""): (name, kind) for name, kind, _ in cauce.LakeOptions.known()}


def _nearest(name: str) -> str:
    written = {
        **{option: _camel_case(name) for option, (name, kind) in _of_the_lake().items() if kind != "secret"},
        **_WRITTEN,
    }
    near = get_close_matches(name.replace("_", ""), written, 1)
    return f": did you mean {written[near[0]]}?" if near else f": there are path, {', '.join(written.values())}"


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))


_PARSERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "start": ("start", str),
    "end": ("end", str),
    "closedOnly": ("closed_only", _flag),
    "late": ("late", _flag),
    "referenced": ("referenced", _flag),
    "raw": ("raw", _flag),
    "onReject": ("on_reject", _on_reject),
    "pushdown": ("pushdown", _flag),
    "batchRows": ("batch_rows", _count(1)),
    "splitBytes": ("split_bytes", _count(1)),
    "maxHoursPerBatch": ("max_hours", _count(1)),
}
_WRITTEN = {name.lower(): name for name in _PARSERS}
_NAMES = {name.lower(): parser for name, parser in _PARSERS.items()}
assert {field for field, _ in _PARSERS.values()} | {"urls", "lake_options"} == {field.name for field in fields(Options)}
