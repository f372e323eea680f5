"""The account of what was sent against what the lake holds. Pure: the simulator's notes, the ids with their arrivals and the gaps are given.

A tweet is accepted when the agent has it on its disk. What was in a connection when it broke was sent and not accepted; that is no loss
that nobody tells of, as long as it lies in a gap that is listed. So this holds each missing tweet against the gaps, and nothing else is
allowed to be missing."""

from typing import NamedTuple

from environment import Failed


class Sent(NamedTuple):
    """A tweet as the simulator handed it to a connection. `at` is its turn, in seconds of the wall clock from some beginning."""

    id: int
    at: float


class Gap(NamedTuple):
    """A listed span without a connection, in seconds since the epoch; `to` is None while it is open."""

    since: float
    to: float | None
    cause: str


def missing(connections: list[list[Sent]], arrived: dict[int, int], gaps: list[Gap]) -> list[tuple[Gap, int]]:
    """The gaps in which sent tweets are missing, each with their number. `connections` in order, each in the order of sending; `arrived`
    the second in which each stored tweet came.

    Raises Failed when a tweet is missing that lies in no gap."""
    lost: dict[Gap, int] = {}
    # The last stored tweet so far: its turn, and the second in which it came.
    before: tuple[float, int] | None = None
    for number, tweets in enumerate(connections):
        last = max((place for place, sent in enumerate(tweets) if sent.id in arrived), default=-1)
        for place, sent in enumerate(tweets):
            if sent.id in arrived:
                before = sent.at, arrived[sent.id]
                continue
            if place < last:
                raise Failed(f"tweet {sent.id} of connection {number} is missing, and a later one of the same connection is stored")
            if before is None:
                raise Failed(f"tweet {sent.id} is missing, and nothing was stored before it")
            # It would have come so long after that one; arrivals are known to the second.
            earliest = before[1] + sent.at - before[0]
            inside = [gap for gap in gaps if gap.since < earliest + 1 and (gap.to is None or earliest <= gap.to)]
            if not inside:
                raise Failed(f"tweet {sent.id} of connection {number} is missing: it would have come at {earliest:.1f}, in none of {gaps}")
            lost[inside[0]] = lost.get(inside[0], 0) + 1
    return list(lost.items())
