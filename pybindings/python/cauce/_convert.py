"""What a conversion tells: plain records, which pickle."""

from cauce._errors import Error, ObjectArchived


class _Record:
    __slots__: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]  # it holds lists

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"cauce.{type(self).__name__}({told})"


class HourReport(_Record):
    """An hour that is done.

    Attributes:
        name: `2026-11-22T05`.
        made: Whether its Parquet was made; otherwise it was there already, of the same source and options.
        rows: Rows in its Parquet.
        rejects: Lines that did not read; they are kept beside the Parquet, in `…-rejects`.
        duplicates: Rows left out because their id had come before.
        deleted: Rows left out because a delete names them.
        bytes_in: Bytes read, as stored.
        bytes_out: Bytes of its `tweets.parquet`.
    """

    __slots__ = ("bytes_in", "bytes_out", "deleted", "duplicates", "made", "name", "rejects", "rows")

    def __init__(
        self,
        *,
        name: str,
        made: bool,
        rows: int,
        rejects: int,
        duplicates: int,
        deleted: int,
        bytes_in: int,
        bytes_out: int,
    ) -> None:
        self.name = name
        self.made = made
        self.rows = rows
        self.rejects = rejects
        self.duplicates = duplicates
        self.deleted = deleted
        self.bytes_in = bytes_in
        self.bytes_out = bytes_out


class Progress(_Record):
    """How far a conversion is.

    Attributes:
        hours_done: Hours done.
        hours: Hours to be done.
        bytes_in: Bytes read, as stored.
        bytes_in_total: Bytes to be read.
        rows: Rows made.
        rejects: Lines that did not read.
        elapsed: Seconds since it began.
        last: The hour that has just been done, where this is told because of it.
    """

    __slots__ = ("bytes_in", "bytes_in_total", "elapsed", "hours", "hours_done", "last", "rejects", "rows")

    def __init__(
        self,
        *,
        hours_done: int,
        hours: int,
        bytes_in: int,
        bytes_in_total: int,
        rows: int,
        rejects: int,
        elapsed: float,
        last: HourReport | None,
    ) -> None:
        self.hours_done = hours_done
        self.hours = hours
        self.bytes_in = bytes_in
        self.bytes_in_total = bytes_in_total
        self.rows = rows
        self.rejects = rejects
        self.elapsed = elapsed
        self.last = last


class Summary(_Record):
    """What a whole conversion came to.

    Attributes:
        hours: The hours that are done, in the order of time.
        failed: Hours and folders that failed for a reason of their own, by name.
        archived: With `skip_archived`, hours and folders that were left out because an object is archived, by name.
        elapsed: Seconds that it took.
    """

    __slots__ = ("archived", "elapsed", "failed", "hours")

    def __init__(
        self,
        *,
        hours: list[HourReport],
        failed: dict[str, Error],
        elapsed: float,
        archived: dict[str, ObjectArchived] | None = None,
    ) -> None:
        self.hours = hours
        self.failed = failed
        self.archived = archived or {}
        self.elapsed = elapsed

    @property
    def made(self) -> int:
        """How many hours were made; the others were there already."""
        return sum(hour.made for hour in self.hours)

    @property
    def rows(self) -> int:
        """Rows of the hours that were made."""
        return sum(hour.rows for hour in self.hours)

    @property
    def rejects(self) -> int:
        """Lines that did not read."""
        return sum(hour.rejects for hour in self.hours)

    @property
    def bytes_in(self) -> int:
        """Bytes read, as stored."""
        return sum(hour.bytes_in for hour in self.hours)

    @property
    def bytes_out(self) -> int:
        """Bytes of the Parquet that was made."""
        return sum(hour.bytes_out for hour in self.hours)
