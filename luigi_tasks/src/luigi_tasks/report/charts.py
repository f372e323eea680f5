"""The pictures of a report, as PNG. Each takes numbers and gives bytes; nothing is read here and nothing decided about words.

Honest axes: bars begin at zero, times are UTC and say so, an hour that nobody knows is hatched and not zero.
"""

import datetime as dt
import io
from collections.abc import Sequence

from matplotlib import dates
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from luigi_tasks.report.labels import all_shown, families
from luigi_tasks.report.numbers import HourCount, Ranked

INK, MUTED, GRID = "#1a2330", "#5b6675", "#e3e7ec"
BLUE, ORANGE, EMPTY = "#2563a8", "#d9730d", "#eceff3"
# Dots an inch: sharp on a screen of double density, and on paper.
_DENSITY = 180


def hours(counts: Sequence[HourCount]) -> bytes:
    """Tweets in each hour: blue bars, orange where the connection was lost for a time, hatched where the hour is not closed."""
    figure, axes = _figure(9.6, 3.5)
    starts = [dt.datetime.fromisoformat(f"{count.hour}:00") for count in counts]
    hour = dt.timedelta(hours=1)
    width = hour * (0.86 if len(counts) <= 96 else 1.0)
    lost = [bool(count.tweets is not None and count.gap_seconds) for count in counts]
    middle = [start + hour / 2 for start in starts]
    axes.bar(
        dates.date2num(middle),
        [count.tweets or 0 for count in counts],
        width=width / dt.timedelta(days=1),
        color=[ORANGE if gap else BLUE for gap in lost],
        linewidth=0,
        zorder=2,
    )
    for start, count in zip(starts, counts, strict=True):
        if count.tweets is None:
            ends = dates.date2num([start, start + hour])
            axes.axvspan(*ends, facecolor=EMPTY, edgecolor="#b9c1cb", hatch="////", linewidth=0, zorder=1)
    if any(lost):
        # Beside the colour, since a bar of an hour that was lost has no height.
        marked = [moment for moment, gap in zip(middle, lost, strict=True) if gap]
        axes.plot(
            dates.date2num(marked),
            [0] * len(marked),
            "^",
            color=ORANGE,
            markersize=5,
            clip_on=False,
            zorder=3,
            markeredgecolor="white",
        )
    if len(counts) <= 96:
        for moment, count in zip(middle, counts, strict=True):
            if count.tweets == 0:
                # An hour that is known to hold nothing is something else than one that nobody knows.
                axes.annotate(
                    "0",
                    (float(dates.date2num(moment)), 0),
                    xytext=(0, 2),
                    textcoords="offset points",
                    ha="center",
                    fontsize=9,
                    color=MUTED,
                )
    axes.set_xlim(*dates.date2num([starts[0], starts[-1] + hour]))
    axes.set_ylim(0, max([count.tweets or 0 for count in counts] + [1]) * 1.08)
    # No tick between two hours, where there are few.
    locator = dates.HourLocator(tz=dt.UTC) if len(counts) <= 10 else dates.AutoDateLocator(tz=dt.UTC, minticks=4, maxticks=10)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(
        dates.ConciseDateFormatter(
            locator,
            tz=dt.UTC,
            formats=["%Y", "%b %Y", "%-d %b", "%H:%M", "%H:%M", "%S"],
            zero_formats=["%Y", "%b %Y", "%-d %b", "%-d %b", "%H:%M", "%S"],
            show_offset=False,
        )
    )
    axes.set_xlabel("hour (UTC)", color=MUTED)
    axes.set_ylabel("tweets in the hour", color=MUTED)
    _count_axis(axes, "y")
    key = [Patch(color=BLUE, label="closed hour")]
    if any(lost):
        key.append(Patch(color=ORANGE, label="closed, part of it without a connection"))
    if any(count.tweets is None for count in counts):
        key.append(Patch(facecolor=EMPTY, edgecolor="#b9c1cb", hatch="////", label="not closed: unknown"))
    if len(key) > 1:
        axes.legend(
            handles=key,
            loc="lower left",
            bbox_to_anchor=(0, 1.0),
            ncols=3,
            frameon=False,
            fontsize=9,
            borderaxespad=0.2,
            labelcolor=INK,
        )
    return _png(figure)


def ranking(rows: Sequence[Ranked], of: int, prefix: str = "") -> bytes:
    """Tweets by label, the most frequent on top, each with its count and its share of `of` tweets."""
    figure, axes = _figure(4.7, 0.8 + 0.31 * len(rows))
    places = range(len(rows))
    values = [row.tweets for row in rows]
    axes.barh(places, values, height=0.72, color=BLUE, linewidth=0, zorder=2)
    axes.set_yticks(places, all_shown([prefix + row.label for row in rows]), parse_math=False)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0, max([*values, 1]) * 1.5)
    for place, value in zip(places, values, strict=True):
        share = f"{value:,}  ·  {share_text(value, of)}"
        axes.annotate(share, (value, place), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8.5, color=MUTED)
    axes.tick_params(axis="y", length=0, pad=5)
    axes.set_xlabel("tweets", color=MUTED)
    _count_axis(axes, "x")
    return _png(figure)


def groups(labels: Sequence[str], values: Sequence[int], axis: str) -> bytes:
    """Shares of all tweets by group, the groups in their order."""
    figure, axes = _figure(9.6, 3.1)
    total = sum(values) or 1
    shares = [100 * value / total for value in values]
    axes.bar(range(len(values)), shares, width=0.82, color=BLUE, linewidth=0, zorder=2)
    for place, (value, share) in enumerate(zip(values, shares, strict=True)):
        axes.annotate(
            share_text(value, total),
            (place, share),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=9,
            color=MUTED,
        )
    axes.set_xticks(range(len(labels)), [label.replace(" to ", " to\n") for label in labels])
    axes.tick_params(axis="x", length=0)
    axes.set_ylim(0, max([*shares, 1]) * 1.14)
    axes.set_ylabel("share of tweets", color=MUTED)
    axes.set_xlabel(axis, color=MUTED)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f} %"))
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.grid(axis="y", color=GRID, linewidth=0.8, zorder=0)
    return _png(figure)


def share_text(part: int, whole: int) -> str:
    """A share for people. What is there is never written as 0 %, and what is not all never as 100 %."""
    if not part or not whole:
        return "0 %"
    share = 100 * part / whole
    if share < 0.1:
        return "< 0.1 %"
    if share > 99.9 and part < whole:
        return "> 99.9 %"
    return f"{share:.1f} %" if share < 10 else f"{share:.0f} %"


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), dpi=_DENSITY, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("#aab3bf")
    axes.tick_params(colors=INK, labelsize=9.5, width=0.8)
    for name in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        name.set_fontfamily(list(families()))
    return figure, axes


def _count_axis(axes: Axes, which: str) -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(MaxNLocator(5 if which == "y" else 4, integer=True))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.grid(axis="x" if which == "x" else "y", color=GRID, linewidth=0.8, zorder=0)
    axes.tick_params(axis="x" if which == "x" else "y", length=0)


def _png(figure: Figure) -> bytes:
    for label in (*figure.axes[0].get_xticklabels(), *figure.axes[0].get_yticklabels()):
        label.set_fontfamily(list(families()))
    picture = io.BytesIO()
    # Without the version and the date: the same numbers give the same picture.
    figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()
