"""What a notebook shows of a lake and of an hour: tables with inline colours, since a notebook keeps no style sheet."""

import datetime as dt
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cauce._native import Hour, Lake

# Days shown of a lake, the newest: a calendar that fits on a page.
DAYS = 31
_CLOSED, _GAP, _OPEN, _MISSING = "#2a7f62", "#d08a1d", "#5b8def", "transparent"
_CELL = "width:14px;height:14px;padding:0;border:1px solid rgba(128,128,128,.35);"


def lake(shown: "Lake") -> str:
    """A calendar of the lake's newest days: a row a day, a cell an hour."""
    hours = [hour for hour in shown.hours() if hour.start is not None and hour.granularity == "hour"]
    by_day: dict[dt.date, dict[int, Hour]] = {}
    for hour in hours:
        assert hour.start is not None
        by_day.setdefault(hour.start.date(), {})[hour.start.hour] = hour
    title = f"<b>{escape(', '.join(shown.urls))}</b>, pattern <code>{escape(shown.pattern)}</code>"
    if not by_day:
        return f"<p>{title}: no hours yet</p>"
    closed = sum(hour.closed for hour in hours)
    tweets = sum(hour.tweets or 0 for hour in hours)
    newest = max(by_day)
    oldest = max(min(by_day), newest - dt.timedelta(days=DAYS - 1))
    days = [newest - dt.timedelta(days=number) for number in range((newest - oldest).days + 1)]
    head = "".join(f'<th style="font-weight:normal;font-size:9px">{number:02}</th>' for number in range(24))
    rows = "".join(
        f"<tr><td>{day}</td>{''.join(_cell(by_day.get(day, {}).get(number), day, number) for number in range(24))}</tr>"
        for day in days
    )
    left_out = f", the newest {len(days)} days shown" if min(by_day) < oldest else ""
    return (
        f"<p>{title}: {_count(closed, 'closed hour')}, {_count(len(hours) - closed, 'open hour')}, "
        f"{_count(tweets, 'tweet')}{left_out}</p>"
        f'<table style="border-collapse:collapse"><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table>'
        f"<p>{_key(_CLOSED, 'closed')} {_key(_GAP, 'closed, with a gap')} {_key(_OPEN, 'open')} "
        f"{_key(_MISSING, 'nothing')}"
        " (hours in UTC)</p>"
    )


def hour(shown: "Hour") -> str:
    """The hour's figures and objects."""
    state = "closed" if shown.closed else "open"
    facts = [
        ("state", state),
        ("tweets", "" if shown.tweets is None else f"{shown.tweets:,}"),
        ("late", f"{shown.late:,}"),
    ]
    facts += [("gap", f"{gap['from']} to {gap['to'] or 'now'}: {gap['cause']}") for gap in shown.gaps]
    table = "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in facts)
    rows = "".join(
        f"<tr><td><code>{escape(found.key)}</code></td><td>{found.bytes:,}</td>"
        f"<td>{'' if found.lines is None else format(found.lines, ',')}</td><td>{found.codec}</td></tr>"
        for found in shown.objects
    )
    return (
        f"<p><b>{escape(shown.name)}</b> of {escape(', '.join(shown.lake.urls))}</p><table>{table}</table>"
        f"<table><thead><tr><th>object</th><th>bytes</th><th>lines</th><th>codec</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _cell(hour: "Hour | None", day: dt.date, number: int) -> str:
    name = f"{day}T{number:02}"
    if hour is None:
        colour, text = _MISSING, f"{name}: nothing"
    elif not hour.closed:
        colour, text = _OPEN, f"{name}: open"
    else:
        colour = _GAP if hour.gaps else _CLOSED
        text = f"{name}: {_count(hour.tweets or 0, 'tweet')}{', with a gap' if hour.gaps else ''}"
    return f'<td title="{escape(text)}" style="{_CELL}background:{colour}"></td>'


def _key(colour: str, text: str) -> str:
    return f'<span style="display:inline-block;{_CELL}background:{colour}"></span> {escape(text)}'


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
