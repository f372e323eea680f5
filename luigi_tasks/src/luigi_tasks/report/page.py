"""The report as one HTML page: words, pictures and tables from the numbers.

The page opens without a network: pictures, style and numbers are inside. Jinja2 escapes every piece of foreign text.
"""

import base64
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from importlib.metadata import version

from jinja2 import Environment, PackageLoader, StrictUndefined

from luigi_tasks.report import charts
from luigi_tasks.report.charts import share_text
from luigi_tasks.report.languages import named
from luigi_tasks.report.numbers import LAG_ENDS, Numbers, Ranked, Ranking

# How X calls the four kinds, in the words of the page.
_KINDS = {"original": "original tweets", "retweet": "retweets", "quote": "quotes", "reply": "replies"}


@dataclass(frozen=True)
class Chart:
    """A picture of the page, with what it says in words and its numbers as a table."""

    name: str  # of the PNG file beside the page, without its ending
    title: str
    finding: str
    png: bytes
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    wide: bool = False
    note: str = ""

    @property
    def data(self) -> str:
        """The picture as text that stands in the page."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode()


@dataclass(frozen=True)
class Figure:
    """A number at the top of the page."""

    value: str
    name: str
    warns: bool = False


def charts_of(numbers: Numbers) -> list[Chart]:
    """The pictures that the numbers give; none where there is nothing to show."""
    if not numbers.closed:
        return []
    found: list[Chart | None] = [_hours(numbers)]
    if numbers.tweets:
        found += [_kinds(numbers), _languages(numbers)]
        found += [
            _ranked("hashtags", "Hashtags", "hashtag", "hashtags", numbers.hashtags, numbers.tweets, "#"),
            _ranked("mentions", "Mentions", "mentioned account", "accounts", numbers.mentions, numbers.tweets, "@"),
            _ranked("domains", "Linked sites", "site", "sites", numbers.domains, numbers.tweets),
            _authors(numbers),
            _lag(numbers),
        ]
    return [chart for chart in found if chart is not None]


def html(numbers: Numbers, pictures: Sequence[Chart], lake: str, made_at: dt.datetime) -> bytes:
    """The whole page."""
    loader = PackageLoader("luigi_tasks.report", "")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page = environment.get_template("page.html.j2").render(
        numbers=numbers,
        range=range_text(numbers.start, numbers.stop),
        problem=numbers.problem or _problem(numbers),
        figures=_figures(numbers),
        charts=pictures,
        missing=_runs(numbers.missing),
        lake=lake,
        made_at=f"{made_at:%Y-%m-%d %H:%M} UTC",
        version=version("cauce-luigi-tasks"),
        style=resources.files("luigi_tasks.report").joinpath("page.css").read_text(),
    )
    return page.encode()


def range_text(start: str, stop: str) -> str:
    """A range of hours for people: `22 November 2026, 05:00 to 08:00 UTC`, or the day alone where it is a whole one."""
    first, last = (dt.datetime.fromisoformat(f"{hour}:00") for hour in (start, stop))
    day = f"{first:%-d\N{NO-BREAK SPACE}%B\N{NO-BREAK SPACE}%Y}"
    if first.hour == 0 and last - first == dt.timedelta(days=1):
        return f"{day}, UTC"
    end = f"{last:%H:%M}" if first.date() == last.date() else f"{last:%-d\N{NO-BREAK SPACE}%B\N{NO-BREAK SPACE}%Y, %H:%M}"
    return f"{day}, {first:%H:%M} to {end} UTC"


def _problem(numbers: Numbers) -> str | None:
    if not numbers.closed:
        return "No hour of this range is closed, so there is nothing to count."
    if not numbers.tweets:
        return "The closed hours of this range hold no tweets."
    return None


def _figures(numbers: Numbers) -> list[Figure]:
    closed, asked = len(numbers.closed), len(numbers.hours)
    found = [Figure(f"{numbers.tweets:,}", "tweets"), Figure(f"{closed:,} of {asked:,}", "hours closed", closed < asked)]
    if closed:
        found.append(Figure(f"{numbers.tweets / closed:,.0f}", "tweets an hour"))
        found.append(Figure(seconds_text(numbers.gap_seconds), "without a connection", numbers.gap_seconds > 0))
    if numbers.undelivered:
        found.append(Figure(f"{numbers.undelivered:,}", "left out by the stream", warns=True))
    if numbers.rejects:
        found.append(Figure(f"{numbers.rejects:,}", "lines rejected", warns=True))
    if numbers.lag.median is not None:
        found.append(Figure(seconds_text(numbers.lag.median), "median lag"))
    if numbers.tweets:
        found.append(Figure(f"{numbers.authors.different:,}", "authors"))
    return found


def _hours(numbers: Numbers) -> Chart:
    counts = [(hour.tweets, hour.hour) for hour in numbers.hours if hour.tweets is not None]
    most, busiest = max(counts, key=lambda pair: (pair[0], pair[1]))
    finding = f"The busiest hour was {busiest.replace('T', ', ')}:00 with {most:,} tweets." if most else "No closed hour holds a tweet."
    rows = [
        (
            hour.hour.replace("T", " ") + ":00",
            "not closed" if hour.tweets is None else f"{hour.tweets:,}",
            seconds_text(hour.gap_seconds) if hour.gap_seconds else "",
        )
        for hour in numbers.hours
    ]
    return Chart(
        "tweets-per-hour",
        "Tweets per hour",
        finding,
        charts.hours(numbers.hours),
        ("hour (UTC)", "tweets", "without a connection"),
        rows,
        wide=True,
    )


def _kinds(numbers: Numbers) -> Chart:
    rows = [Ranked(_KINDS.get(kind, kind), tweets) for kind, tweets in numbers.kinds.items()]
    finding = f"{share_text(rows[0].tweets, numbers.tweets)} are {rows[0].label}."
    note = "A tweet counts once: as a retweet, else as a quote, else as a reply."
    return Chart(
        "kinds",
        "Retweets, quotes, replies",
        finding,
        charts.ranking(rows, numbers.tweets),
        ("kind", "tweets", "share"),
        _table(rows, numbers.tweets),
        note=note,
    )


def _languages(numbers: Numbers) -> Chart | None:
    rows = [Ranked(named(row.label), row.tweets) for row in numbers.languages.top]
    if not rows:
        return None
    finding = (
        f"{share_text(rows[0].tweets, numbers.tweets)} of the tweets: {rows[0].label}. {numbers.languages.different} different in all."
    )
    return Chart(
        "languages",
        "Languages",
        finding,
        charts.ranking(rows, numbers.tweets),
        ("language", "tweets", "share"),
        _table(rows, numbers.tweets),
    )


def _ranked(name: str, title: str, one: str, many: str, ranking: Ranking, tweets: int, prefix: str = "") -> Chart | None:
    if not ranking.top:
        return None
    rows = [Ranked(prefix + row.label, row.tweets) for row in ranking.top]
    different = f"{ranking.different:,} {many if ranking.different != 1 else one}"
    finding = f"{different} in {share_text(ranking.tweets, tweets)} of the tweets."
    return Chart(name, title, finding, charts.ranking(rows, tweets), (one, "tweets", "share"), _table(rows, tweets))


def _authors(numbers: Numbers) -> Chart | None:
    chart = _ranked("authors", "Authors", "author", "authors", numbers.authors, numbers.tweets, "@")
    if chart is None or numbers.authors.different <= len(numbers.authors.top):
        return chart
    share = share_text(sum(row.tweets for row in numbers.authors.top), numbers.tweets)
    return replace(
        chart,
        finding=f"{numbers.authors.different:,} authors; the {len(numbers.authors.top)} busiest wrote {share} of the tweets.",
    )


def _lag(numbers: Numbers) -> Chart | None:
    lag = numbers.lag
    if not lag.known or lag.median is None or lag.p90 is None or lag.p99 is None or lag.largest is None:
        return None
    labels = [_span(low, high) for low, high in zip((0, *LAG_ENDS), (*LAG_ENDS, None), strict=True)]
    finding = (
        f"Half of the tweets were here within {seconds_text(lag.median)}, nine in ten within {seconds_text(lag.p90)}, "
        f"99 of 100 within {seconds_text(lag.p99)}; the last took {seconds_text(lag.largest)}."
    )
    note = f"Known for {lag.known:,} of {numbers.tweets:,} tweets. "
    if lag.early:
        note += f"{lag.early:,} of them came before their created_at, by the clocks of the two machines, and are in no bar. "
    note += "created_at may be in whole seconds, so that a lag may look up to a second longer than it was."
    rows = [(label, f"{value:,}", share_text(value, lag.known)) for label, value in zip(labels, lag.groups, strict=True)]
    return Chart(
        "lag",
        "From created to received",
        finding,
        charts.groups(labels, lag.groups, "time from created_at to received_at"),
        ("lag", "tweets", "share"),
        rows,
        wide=True,
        note=note,
    )


def _table(rows: Sequence[Ranked], of: int) -> list[tuple[str, ...]]:
    return [(row.label, f"{row.tweets:,}", share_text(row.tweets, of)) for row in rows]


def _span(low: int, high: int | None) -> str:
    def text(seconds: int) -> str:
        for unit, size in (("day", 86400), ("h", 3600), ("min", 60)):
            if seconds >= size:
                return f"{seconds // size} {unit}"
        return f"{seconds} s"

    if high is None:
        return f"over {text(low)}"
    unit = text(high).split()[1]
    first = text(low) if low and text(low).split()[1] != unit else text(low).split()[0]
    return f"{first} to {text(high)}"


def seconds_text(seconds: float) -> str:
    """A length of time, with as many digits as it deserves."""
    if seconds < 0:
        return "-" + seconds_text(-seconds)
    if seconds < 10:
        return f"{seconds:.1f} s" if seconds else "0 s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours = round(seconds / 3600)
    return f"{hours} h" if hours < 100 else f"{round(seconds / 86400)} days"


def _runs(hours: Sequence[str]) -> list[str]:
    """Missing hours, those in a row as one: `2026-11-21T17 to 2026-11-21T18`."""
    runs: list[list[str]] = []
    for hour in hours:
        if runs and dt.datetime.fromisoformat(f"{runs[-1][1]}:00") + dt.timedelta(hours=1) == dt.datetime.fromisoformat(f"{hour}:00"):
            runs[-1][1] = hour
        else:
            runs.append([hour, hour])
    return [first if first == last else f"{first} to {last}" for first, last in runs]
