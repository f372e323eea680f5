"""Which task reads what: hours are cut into shares of about equally many bytes, along the borders of their objects."""

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql.datasource import InputPartition

from pyspark_cauce._options import Options

if TYPE_CHECKING:
    import cauce

# An object costs its requests, however small it is: as much as this many bytes.
OPENING_BYTES = 64 << 10
# About so much longer than stored are tweets that are compressed.
COMPRESSED = 6
# What a task reads where `splitBytes` says nothing. A task costs Spark some 30 ms of CPU beside its rows, a third of
# what 32 MiB of rows cost. Past 128 MiB, the most that Spark's own readers give a task, little is left to be gained.
LEAST_SPLIT = 32 << 20
MOST_SPLIT = 128 << 20
# So many tasks a small lake gives, for as many cores.
SPREAD = 16


@dataclass(frozen=True)
class Piece:
    """An hour, or some of its objects by their URLs, or its late tweets."""

    hour: "cauce.Hour"
    objects: tuple[str, ...] | None = None
    late: bool = False


class Share(InputPartition):
    """What one task reads.

    An hour crosses to the executor as its lake and name, without keys, and is looked up there.
    """

    def __init__(self, pieces: list[Piece]) -> None:
        self.pieces = pieces


def hours(asked: Options) -> "list[cauce.Hour]":
    """The hours that the options ask for, oldest first.

    Raises:
        ValueError: The lake has parts that cannot be read as its pattern says, such as an hour whose manifest is
        damaged.
            Leaving one out unseen would be a loss that nobody notices.
    """
    import cauce

    start, end = asked.span()
    with warnings.catch_warnings():
        warnings.simplefilter("error", cauce.LakeWarning)
        try:
            return asked.lake().hours(start, end, closed=True if asked.closed_only else None)
        except cauce.LakeWarning as warning:
            raise ValueError(f"{warning}; to read the hours around it, use the options start and end") from None


def shares(hours: "Iterable[cauce.Hour]", asked: Options) -> list[InputPartition]:
    """The hours as shares, in the order of time."""
    weighed = list(_weighed(hours, asked.late))
    total = sum(weight for weight, _ in weighed)
    # As many as are needed, of one size: the last one would else be a rest.
    count = -(-total // (asked.split_bytes or fair_split(total)))
    most = -(-total // count) if count else 0
    found: list[InputPartition] = []
    pieces: list[Piece] = []
    filled = 0
    for weight, piece in weighed:
        if pieces and filled + weight > most:
            found.append(Share(list(_joined(pieces))))
            pieces, filled = [], 0
        pieces.append(piece)
        filled += weight
    if pieces:
        found.append(Share(list(_joined(pieces))))
    return found


def fair_split(total: int) -> int:
    """About how many of all these bytes a task reads where nobody says it."""
    return min(max(-(-total // SPREAD), LEAST_SPLIT), MOST_SPLIT)


def _weighed(hours: "Iterable[cauce.Hour]", late: bool) -> Iterator[tuple[int, Piece]]:
    for hour in hours:
        for item in hour.objects:
            yield _weight(item), Piece(hour, (item.url,))
        if late and hour.late_objects:
            # They are few: one task reads them.
            yield sum(map(_weight, hour.late_objects)), Piece(hour, late=True)


def _weight(item: "cauce.Object") -> int:
    return item.bytes * (1 if item.codec == "none" else COMPRESSED) + OPENING_BYTES


def _joined(pieces: list[Piece]) -> Iterator[Piece]:
    """One piece for each hour; one whose objects are all there is a whole hour."""
    at = 0
    while at < len(pieces):
        first = pieces[at]
        if first.objects is None:
            yield first
            at += 1
            continue
        urls: list[str] = []
        while at < len(pieces) and pieces[at].hour is first.hour and (objects := pieces[at].objects) is not None:
            urls += objects
            at += 1
        # The objects of an open hour are named: more may be there when it is read.
        whole = first.hour.closed and len(urls) == len(first.hour.objects)
        yield Piece(first.hour, None if whole else tuple(urls))
