"""Real tweets, held against an independent reading of the same lines: the plain loop of a contender of `bench/`.

They lie in `../shared/data` beside the repository, and files of your own in what `CAUCE_TEST_LINES` names: lines,
v1.1 where the name begins with `v1`, else v2, of any size. Where neither is there, nothing is tested.
"""

import json
import os
import sys
from collections.abc import Iterator
from datetime import timedelta
from itertools import zip_longest
from pathlib import Path
from typing import Any

import cauce
import pyarrow as pa
import pytest
from lakes import HOUR, START, Builder

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = REPOSITORY.parent / "shared" / "data"
sys.path.append(str(REPOSITORY / "bench" / "contenders"))

COLUMNS = {
    "tweet_id": "tweet_id", "created_at": "created_at", "text": "text", "lang": "lang", "source": "source",
    "author_id": "author_id", "author_username": "author.username", "author_name": "author.name",
    "author_followers": "author.followers", "author_verified": "author.verified", "retweets": "metrics.retweets",
    "likes": "metrics.likes", "replies": "metrics.replies", "quotes": "metrics.quotes",
    "reply_to_tweet_id": "reply_to_tweet_id", "reply_to_user_id": "reply_to_user_id", "retweeted_id": "retweeted_id",
    "quoted_id": "quoted_id", "conversation_id": "conversation_id", "hashtags": "hashtags.tag",
    "mentions": "mentions.username", "urls": "urls.expanded", "place_full_name": "place.full_name",
    "place_country": "place.country", "lon": "lon", "lat": "lat", "possibly_sensitive": "possibly_sensitive",
}  # fmt: skip


def v2_lines(page: dict[str, Any]) -> Iterator[bytes]:
    """A page of a search as the lines of a stream, each with all that the page includes."""
    data = page["data"]
    for tweet in data if isinstance(data, list) else [data]:
        yield json.dumps({"data": tweet, "includes": page.get("includes", {})}).encode()


def pages(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text().splitlines():
        try:
            page = json.loads(line)
        except ValueError:
            continue  # some are broken on purpose
        if isinstance(page, dict) and "data" in page:
            yield page


def shared() -> dict[str, bytes]:
    if not SHARED.is_dir():
        return {}
    statuses = json.loads((SHARED / "twitter.json").read_text())["statuses"]
    found = {"v1 twitter.json": b"".join(json.dumps(status).encode() + b"\n" for status in statuses)}
    for path in sorted((SHARED / "v2").glob("*.jsonl")):
        lines = [line for page in pages(path) for line in v2_lines(page)]
        found[f"v2 {path.name}"] = b"".join(line + b"\n" for line in lines)
    return found


def flat(row: dict[str, Any]) -> list[Any]:
    """The cells of a row in the order of `COLUMNS`; a list of structs of one member is a list of that member."""

    def cell(path: str) -> Any:
        value: Any = row
        for name in path.split("."):
            if isinstance(value, list):
                return [one[name] for one in value]
            value = None if value is None else value[name]
        return value

    return [cell(path) for path in COLUMNS.values()]


def expected(line: bytes, kind: str) -> list[Any]:
    import convert_orjson
    from arrow_schema import PROJECTION

    assert PROJECTION.names == list(COLUMNS)
    read = convert_orjson.v1 if kind == "v1" else convert_orjson.v2
    cells = dict(zip(COLUMNS, read(json.loads(line)), strict=True))
    cells["created_at"] = START.fromtimestamp(0, START.tzinfo) + timedelta(microseconds=cells["created_at"])
    return list(cells.values())


def hold(hour: cauce.Hour, lines: Iterator[bytes], kind: str) -> int:
    stream = hour.batches(list(COLUMNS.values()))
    rows = (row for batch in stream for row in pa.record_batch(batch).to_pylist())
    count = 0
    for found, line in zip_longest(rows, lines):
        assert found is not None, f"line {count + 1} has no row"
        assert line is not None, f"row {count + 1} has no line"
        # An absent list and an empty one are the same to the loop.
        assert [cell or None for cell in flat(found)] == [cell or None for cell in expected(line, kind)]
        count += 1
    assert stream.stats["rejects"] == 0
    return count


def hour_of(body: bytes, folder: Path) -> cauce.Hour:
    builder = Builder()
    # Several objects, so that their borders are met.
    lines = body.splitlines(keepends=True)
    third = max(1, len(lines) // 3)
    builder.hour(START, *(b"".join(lines[at : at + third]) for at in range(0, len(lines), third)))
    return cauce.Lake(builder.to_folder(folder)).hour(HOUR)


FILES = shared()


@pytest.mark.skipif(not FILES, reason="../shared/data is not there")
@pytest.mark.parametrize("name", FILES)
def test_real_tweets_read_as_a_plain_loop_reads_them(name: str, tmp_path: Path) -> None:
    body = FILES[name]
    count = hold(hour_of(body, tmp_path), iter(body.splitlines()), name[:2])
    assert count == body.count(b"\n") > 0


LARGE = [Path(path) for path in os.environ.get("CAUCE_TEST_LINES", "").split(os.pathsep) if path]


@pytest.mark.skipif(not LARGE, reason="CAUCE_TEST_LINES names no file")
@pytest.mark.parametrize("path", LARGE, ids=lambda path: path.name)
def test_a_large_file_reads_as_a_plain_loop_reads_it(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / f"{START:%m-%d-%H}"
    folder.mkdir()
    (folder / f"tweets.{int(START.timestamp()) * 1000}.json").symlink_to(path.resolve())
    with path.open("rb") as lines:
        count = hold(cauce.Lake(tmp_path).hour(HOUR), lines, path.name[:2])
    with path.open("rb") as lines:
        assert count == sum(1 for _ in lines)
