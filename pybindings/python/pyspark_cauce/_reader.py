"""Reads a share on an executor.

Rows come from `cauce`; rejects are counted and told; objects that a filter rules out are passed by.
"""

import datetime as dt
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from pyspark.sql.datasource import (
    DataSourceReader,
    EqualTo,
    Filter,
    GreaterThan,
    GreaterThanOrEqual,
    InputPartition,
    LessThan,
    LessThanOrEqual,
)

from pyspark_cauce._options import Options
from pyspark_cauce._plan import Piece, Share, hours, shares
from pyspark_cauce._sentence import one_sentence

if TYPE_CHECKING:
    import cauce

    from pyspark_cauce._columns import Columns

logger = logging.getLogger("pyspark_cauce")
# Rejects of a share that are told one by one.
MOST_TOLD = 20
RECEIVED_AT = "received_at"


@dataclass(frozen=True)
class Bounds:
    """The moments between which `received_at` must lie, in seconds since 1970, both included."""

    first: float = float("-inf")
    last: float = float("inf")

    def after(self, filter: Filter) -> "Bounds":
        """The bounds with one more filter; those that say nothing of `received_at` change nothing."""
        value = getattr(filter, "value", None)
        attribute = tuple(name.lower() for name in getattr(filter, "attribute", ()))
        if attribute != (RECEIVED_AT,) or not isinstance(value, dt.datetime):
            return self
        if value.tzinfo is None:
            return self  # of a column with a zone Spark gives moments with one; what another one means is not guessed
        moment = value.timestamp()
        first, last = self.first, self.last
        if isinstance(filter, EqualTo | GreaterThan | GreaterThanOrEqual):
            first = max(first, moment)
        if isinstance(filter, EqualTo | LessThan | LessThanOrEqual):
            last = min(last, moment)
        return Bounds(first, last)

    def hold(self, arrivals: list[list[int]]) -> bool:
        """Whether lines that arrived then may be wanted.

        Where no arrivals are told, `received_at` is null, which no bound holds.
        """
        return any(self.first <= second <= self.last for second, _ in arrivals)


class Rows:
    """Reading, the same for batch and stream. It is pickled: plain data only."""

    def __init__(self, asked: Options, columns: "Columns") -> None:
        self._asked, self._columns = asked, columns
        self._bounds: Bounds | None = None

    def read(self, partition: InputPartition) -> Iterator[Any]:
        """The rows of a share as record batches. A query without any hour gets a partition that is no share."""
        return self._rows(partition.pieces) if isinstance(partition, Share) else iter(())

    def _rows(self, pieces: list[Piece]) -> Iterator[Any]:
        import pyarrow as pa

        from pyspark_cauce._columns import fitted

        schema = self._columns.arrow()
        with one_sentence():
            for stream in self._streams(pieces):
                for batch in stream:
                    yield fitted(pa.record_batch(batch), schema)
                self._tell(stream)

    def _streams(self, pieces: list[Piece]) -> "Iterator[cauce.BatchStream]":
        """Whole hours that follow each other are read as one, ahead over their borders."""
        wanted: dict[str, Any] = {
            "batch_rows": self._asked.batch_rows,
            "referenced": self._asked.referenced,
            "raw": self._columns.raw,
        }
        names = list(self._columns.names)
        for late, group in groupby(
            map(self._narrowed, pieces), lambda piece: piece.late if piece.objects is None else None
        ):
            if late is None:
                for piece in group:
                    yield piece.hour.batches(names, objects=piece.objects, **wanted)
                continue
            whole = [piece.hour for piece in group]
            yield whole[0].lake.batches(whole, names, late=late, **wanted)

    def _narrowed(self, piece: Piece) -> Piece:
        """Without the objects that a filter rules out: the hour's manifest tells when the lines of each arrived."""
        # Of several lakes the manifest is the first one's; of late tweets it is another one.
        if self._bounds is None or piece.late or len(piece.hour.lake.urls) > 1:
            return piece
        hour = piece.hour.lake.hour(piece.hour) if piece.hour.granularity == "hour" else piece.hour
        if not hour.closed or not (manifest := hour.manifest):
            return piece
        bounds = self._bounds
        wanted = {entry["key"] for entry in manifest["objects"] if bounds.hold(entry["arrivals"])}
        named = set(piece.objects) if piece.objects is not None else None
        left = tuple(item.url for item in hour.objects if item.key in wanted and (named is None or item.url in named))
        return Piece(hour, left)

    def _tell(self, stream: "cauce.BatchStream") -> None:
        count = stream.stats["rejects"]
        if not count:
            return
        rejects = stream.rejects
        if self._asked.on_reject == "fail":
            import cauce

            first = rejects[0]
            where = f"line {first.line} of {first.key}"
            message = f"{where} gives no row: {first.reason} (option onReject=fail; {count} such lines)"
            raise cauce.CorruptRecord(message, key=first.key, offset=first.offset, line=first.line)
        for reject in rejects[:MOST_TOLD]:
            logger.warning("line %d of %s gives no row: %s", reject.line, reject.key, reject.reason)
        logger.warning("%d lines of this task gave no row", count)


class Reader(Rows, DataSourceReader):
    """Reads a batch query."""

    def partitions(self) -> list[InputPartition]:
        """The shares, planned on the driver."""
        with one_sentence():
            return shares(hours(self._asked), self._asked)


class PushingReader(Reader):
    """A reader to which Spark says what it filters by.

    A class of its own, since Spark refuses one where that is switched off.
    """

    def pushFilters(self, filters: list[Filter]) -> Iterable[Filter]:
        """Takes bounds of `received_at`, to pass by whole objects. Spark filters the rows itself all the same."""
        bounds = Bounds()
        for filter in filters:
            bounds = bounds.after(filter)
        self._bounds = None if bounds == Bounds() else bounds
        return filters
