"""Lines at which other readers abort, round, or lose a value without a word, by every way to a table."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cauce
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lakes import HOUR, START, Builder, joined

BEYOND_DOUBLES = 2**53 + 1


def v1(identity: int | str, **more: Any) -> bytes:
    """A line of the v1.1 stream."""
    tweet = {"id": identity, "id_str": str(identity), "text": "hola", "user": {"id": 7, "id_str": "7"}, **more}
    return json.dumps(tweet).encode()


@dataclass(frozen=True)
class Awkward:
    """Lines between two good ones, and what is to become of them."""

    lines: list[bytes]
    rows: list[dict[str, Any]]
    """The rows that come of them, as far as the case is about them."""
    rejects: list[str]
    """What the reasons say, one a refused line."""


GOOD = v1(1)
METRICS = {"retweets": 12, "likes": None, "replies": None, "quotes": None, "bookmarks": None, "impressions": None}
POINT = {"type": "Point", "coordinates": [2.5, 48.5]}


def row(line: bytes, **cells: Any) -> Awkward:
    return Awkward([line], [cells], [])


def refused(line: bytes, reason: str) -> Awkward:
    return Awkward([line], [], [reason])


def no_row(*lines: bytes) -> Awkward:
    return Awkward(list(lines), [], [])


CASES = {
    "a line that is no JSON": refused(b'{"id":5,"id_str":"5",}', "not JSON at byte 21"),
    "a line that is cut off": refused(b'{"id":5,"id_str":"5","text":"cut of', "not JSON"),
    "blank lines that keep a connection alive": no_row(b"", b"\r"),
    "a number written as a string": row(v1(5, retweet_count="12"), metrics=METRICS),
    "a string where a number belongs": refused(v1(5, retweet_count="x"), '"retweet_count" is not'),
    "an object where a string belongs": refused(v1(5, lang={"a": 1}), '"lang" is not'),
    "an object with nothing in it": row(v1(5, place={}), tweet_id=5),
    "an id that no double holds": row(v1(BEYOND_DOUBLES), tweet_id=BEYOND_DOUBLES),
    "an id of 2^63": refused(v1(2**63), "2^63 or more"),
    "a key that comes twice": row(b'{"id":5,"id_str":"5","text":"first","text":"last","user":{"id":7}}', text="last"),
    "half of a surrogate pair": row(b'{"id":5,"id_str":"5","text":"a\\ud83d b","user":{"id":7}}', text="a\ufffd b"),
    "a text with U+0000": row(v1(5, text="a\0b"), text="a\0b"),
    "bytes that are no UTF-8": refused(b'{"id":5,"id_str":"5","text":"\xff"}', "not UTF-8 at byte 29"),
    "a key that was not there for 30,000 lines": Awkward(
        [*(v1(number) for number in range(10, 30_010)), v1(5, coordinates=POINT)],
        [*({"tweet_id": number, "lon": None} for number in range(10, 30_010)), {"tweet_id": 5}],
        [],
    ),
    "an object after 300 nulls": Awkward(
        [*(v1(number, coordinates=None) for number in range(10, 310)), v1(5, coordinates=POINT)],
        [*({"lon": None} for _ in range(300)), {"lon": 2.5, "lat": 48.5}],
        [],
    ),
    "a fraction where a whole number belongs": refused(v1(5, retweet_count=1.5), '"retweet_count" is not'),
    "an error among the tweets": no_row(b'{"errors":[{"title":"operational-disconnect"}]}'),
    "a byte order mark": refused(b"\xef\xbb\xbf" + v1(5), "not JSON at byte 0"),
    "an array": refused(b"[1,2]", "neither a tweet nor a known message"),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Awkward:
    return CASES[request.param]


@pytest.fixture
def folder(case: Awkward, tmp_path: Path) -> Path:
    builder = Builder()
    builder.hour(START, joined([GOOD, *case.lines, v1(9)]))
    return builder.to_folder(tmp_path / "lake")


def hold(case: Awkward, table: pa.Table, rejects: list[tuple[int, str]]) -> None:
    rows = table.to_pylist()
    assert [rows[0]["tweet_id"], rows[-1]["tweet_id"]] == [1, 9]
    assert len(rows) == len(case.rows) + 2
    for found, wanted in zip(rows[1:-1], case.rows, strict=True):
        assert {name: found[name] for name in wanted} == wanted
    assert len(rejects) == len(case.rejects)
    for (line, reason), due in zip(rejects, case.rejects, strict=True):
        assert line == 2
        assert due in reason


def test_it_becomes_the_row_or_reject_that_is_due_in_batches(case: Awkward, folder: Path) -> None:
    stream = cauce.Lake(folder).hour(HOUR).batches()
    table = pa.table(stream)
    hold(case, table, [(reject.line, reject.reason) for reject in stream.rejects])


def kept_rejects(target: Path) -> list[tuple[int, str]]:
    kept = [
        json.loads(line)
        for path in target.with_name("parquet-rejects").rglob("*.jsonl")
        for line in path.read_text().splitlines()
    ]
    return [(reject["line"], reject["reason"]) for reject in kept]


def converted(target: Path) -> pa.Table:
    return pq.read_table(target / f"date={START:%Y-%m-%d}" / f"hour={START:%H}" / "tweets.parquet", partitioning=None)


def test_it_becomes_the_row_or_reject_that_is_due_in_parquet(case: Awkward, folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "parquet"
    cauce.convert(cauce.Lake(folder), HOUR, target)
    hold(case, converted(target), kept_rejects(target))


INGEST = os.environ.get("INGEST")


@pytest.mark.skipif(not INGEST, reason="INGEST names the program to be tested")
def test_it_becomes_the_row_or_reject_that_is_due_by_ingest_convert(
    case: Awkward, folder: Path, tmp_path: Path
) -> None:
    target = tmp_path / "parquet"
    assert INGEST is not None
    subprocess.run([INGEST, "convert", HOUR, "--lake", folder, "--to", target], check=True, capture_output=True)
    hold(case, converted(target), kept_rejects(target))
