"""What a notebook shows of a lake and of an hour: tables with inline styles, since a notebook keeps no style sheet.

Text takes the notebook's own colour, and cells have colours that stand out from a light and from a dark page. All text
that comes from a lake is escaped; settings that may hold keys are not shown.
"""

import datetime as dt
from html import escape
from typing import TYPE_CHECKING

from cauce._errors import Error

if TYPE_CHECKING:
    from cauce._native import Hour, Lake

# Days shown of a lake, the newest: a calendar that fits on a page.
DAYS = 31
DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)
_CLOSED, _GAP, _OPEN = "background:#2a9d6f", "background:#e09f1f", "background:#4f83e8"
_MISSING = "background:repeating-linear-gradient(45deg,#d1495b 0 2px,transparent 2px 5px)"
_CELL = "box-sizing:border-box;width:16px;height:16px;padding:0;border:1px solid rgba(128,128,128,.4);"
_TABLE = "color:inherit;font:inherit"
_TEXT = "text-align:left;padding:1px 8px 1px 0;font-variant-numeric:tabular-nums"
_NUMBER = "text-align:right;padding:1px 8px;font-variant-numeric:tabular-nums"


def lake(shown: "Lake") -> str:
    """A calendar of the lake's newest days: a row for each day, a cell for each hour."""
    title = f"<b>{escape(', '.join(shown.urls))}</b>, pattern <code>{escape(shown.pattern)}</code>"
    try:
        hours = _newest(shown)
    except Error as error:
        # Looking at a lake that cannot be reached is no reason for a traceback.
        return f"<p>{title}</p><p>cauce.{type(error).__name__}: {escape(str(error))}</p>"
    named = {hour.start: hour for hour in hours if hour.start is not None and hour.granularity == "hour"}
    folders = len(hours) - len(named)
    beside = f"<p>and {_count(folders, 'folder')} that {'is' if folders == 1 else 'are'} no hour</p>" if folders else ""
    if not named:
        return f"<p>{title}: no hours yet</p>{beside}"
    first, last = min(named), max(named)
    start = max(_day(first), _day(last) - (DAYS - 1) * DAY)
    by_time = {moment: hour for moment, hour in named.items() if moment >= start}
    begin = max(first, start)
    between = [begin + number * HOUR for number in range(int((last - begin) / HOUR) + 1)]
    missing = [moment for moment in between if moment not in by_time]
    closed = [hour for hour in by_time.values() if hour.closed]
    counts = [
        _count(len(closed), "closed hour"),
        _count(len(by_time) - len(closed), "open hour"),
        f"{len(missing):,} missing",
        _count(sum(hour.tweets or 0 for hour in closed), "tweet"),
        _count(sum(len(hour.gaps) for hour in by_time.values()), "gap"),
    ]
    days = [_day(last) - number * DAY for number in range((_day(last) - start).days + 1)]
    wanted = set(missing)
    head = "".join(f'<th style="font-weight:normal;font-size:9px;padding:0">{number:02}</th>' for number in range(24))
    rows = "".join(
        f'<tr><td style="{_TEXT}">{day:%Y-%m-%d}</td>'
        + "".join(_cell(by_time.get(moment), moment, moment in wanted) for moment in _hours_of(day))
        + "</tr>"
        for day in days
    )
    key = "&ensp;".join(
        f'<span style="display:inline-block;vertical-align:-3px;{_CELL}{style}"></span> {text}'
        for style, text in ((_CLOSED, "closed"), (_GAP, "with a gap"), (_OPEN, "open"), (_MISSING, "missing"))
    )
    return (
        f"<p>{title}<br>{_day(last) - (len(days) - 1) * DAY:%Y-%m-%d} to {last:%Y-%m-%d}: {', '.join(counts)}</p>"
        f'<table style="{_TABLE};border-collapse:collapse">'
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table>"
        f"<p>{key}&ensp;(hours in UTC)</p>{beside}"
    )


def hour(shown: "Hour") -> str:
    """The hour's figures and objects."""
    title = f"<b>{escape(shown.name)}</b> of {escape(', '.join(shown.lake.urls))}"
    try:
        return f"<p>{title}</p>{_facts(shown)}{_objects(shown)}"
    except Error as error:
        return f"<p>{title}</p><p>cauce.{type(error).__name__}: {escape(str(error))}</p>"


def _newest(shown: "Lake") -> "list[Hour]":
    """The hours of the last days; where there are none, of an archive, all."""
    today = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    recent = shown.hours(today - DAYS * DAY)
    return recent or shown.hours()


def _day(moment: dt.datetime) -> dt.datetime:
    return moment.replace(hour=0)


def _hours_of(day: dt.datetime) -> list[dt.datetime]:
    return [day + number * HOUR for number in range(24)]


def _cell(hour: "Hour | None", moment: dt.datetime, missing: bool) -> str:
    if hour is None:
        style, text = (_MISSING, "missing") if missing else ("", "outside of what is there")
    else:
        style, text = _OPEN, "open"
        if hour.closed:
            style, text = _CLOSED, _count(hour.tweets or 0, "tweet")
        if hour.gaps:
            style, text = _GAP, f"{text}, {_count(len(hour.gaps), 'gap')}"
    return f'<td title="{moment:%Y-%m-%dT%H}: {escape(text)}" style="{_CELL}{style}"></td>'


def _facts(shown: "Hour") -> str:
    facts = [("state", "closed" if shown.closed else "open"), ("bytes", f"{shown.bytes:,}")]
    if shown.tweets is not None:
        facts.append(("tweets", f"{shown.tweets:,}"))
    facts += [("late tweets", f"{shown.late:,}")] if shown.late else []
    facts += [("rejects", f"{shown.rejects:,}")] if shown.rejects else []
    facts += [("gap", f"{gap['from']} to {gap['to'] or 'now'}: {gap['cause']}") for gap in shown.gaps]
    rows = "".join(
        f'<tr><th style="{_TEXT}">{escape(name)}</th><td style="{_TEXT}">{escape(text)}</td></tr>'
        for name, text in facts
    )
    return f'<table style="{_TABLE}">{rows}</table>'


def _objects(shown: "Hour") -> str:
    rows = "".join(
        f'<tr><td style="{_TEXT}"><code>{escape(found.key)}</code></td><td style="{_NUMBER}">{found.bytes:,}</td>'
        f'<td style="{_NUMBER}">{"" if found.lines is None else format(found.lines, ",")}</td>'
        f'<td style="{_TEXT}">{found.codec}</td></tr>'
        for found in (*shown.objects, *shown.late_objects)
    )
    head = "".join(f'<th style="{_TEXT}">{name}</th>' for name in ("object", "bytes", "lines", "codec"))
    return f'<table style="{_TABLE}"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
