"""Typed tweets as Arrow."""

import datetime as dt
import json
from pathlib import Path

import cauce
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from lakes import HOUR, START, Builder, joined, tweets

COLUMNS = ["tweet_id", "text", "author.username"]


def test_pyarrow_takes_the_stream(hour: cauce.Hour) -> None:
    table = pa.table(hour.batches())
    assert table.num_rows == 20
    assert table["tweet_id"].to_pylist() == [2**53 + number for number in range(20)]
    assert table["text"].to_pylist() == [json.loads(line)["data"]["text"] for line in tweets(20)]
    assert table.schema == pa.schema(cauce.schema())


def test_polars_takes_the_stream(hour: cauce.Hour) -> None:
    frame = pl.DataFrame(hour.batches(COLUMNS))
    assert frame["tweet_id"].to_list() == [2**53 + number for number in range(20)]


def test_duckdb_takes_the_stream(hour: cauce.Hour) -> None:
    stream = hour.batches(COLUMNS)  # noqa: F841, duckdb finds it by its name
    rows = duckdb.sql("select count(*), max(tweet_id), any_value(author.username) from stream")
    assert rows is not None
    assert rows.fetchall() == [(20, 2**53 + 19, "ana")]


def test_pandas_takes_the_stream(hour: cauce.Hour) -> None:
    frame = pd.DataFrame.from_arrow(hour.batches(COLUMNS))
    assert list(frame["tweet_id"]) == [2**53 + number for number in range(20)]


def test_batches_come_one_by_one_with_about_so_many_rows(hour: cauce.Hour) -> None:
    batches = list(hour.batches(["tweet_id"], batch_rows=6))
    assert sum(len(batch) for batch in batches) == 20
    assert batches[0].num_columns == 1
    assert pa.record_batch(batches[0]).column(0).to_pylist()[0] == 2**53
    assert batches[0].schema == cauce.schema(["tweet_id"])


def test_columns_are_chosen_by_name_and_member(hour: cauce.Hour) -> None:
    stream = hour.batches(COLUMNS)
    assert sorted(stream.schema.names) == ["author", "text", "tweet_id"]
    assert pa.table(stream)["author"].to_pylist()[0] == {"username": "ana"}


def test_an_unknown_column_is_refused_with_the_nearest_name(hour: cauce.Hour) -> None:
    with pytest.raises(ValueError, match="tweet_id"):
        hour.batches(["tweetid"])
    with pytest.raises(ValueError, match="batch_rows"):
        hour.batches(batch_rows=0)


def test_a_tweet_has_its_time_of_arrival_however_its_hour_was_found(lake: cauce.Lake) -> None:
    arrived = START + dt.timedelta(seconds=1)
    for stream in (
        lake.hour(HOUR).batches(["received_at"]),
        lake.hours()[0].batches(["received_at"]),
        lake.batches(lake.hours(end="2026-11-22T06"), ["received_at"]),
    ):
        assert pa.table(stream)["received_at"].to_pylist() == [arrived] * 20


def test_the_raw_line_is_there_on_request(hour: cauce.Hour) -> None:
    assert pa.table(hour.batches(["tweet_id"], raw=True))["raw"].to_pylist() == tweets(20)


def test_several_hours_are_one_stream(lake: cauce.Lake) -> None:
    table = pa.table(lake.batches(lake.hours(closed=True), ["tweet_id"]))
    assert table["tweet_id"].to_pylist() == [2**53 + number for number in range(60)]


def test_what_gives_no_row_is_counted_and_told(tmp_path: Path) -> None:
    builder = Builder()
    delete = b'{"delete":{"status":{"id":1,"id_str":"1","user_id":2,"user_id_str":"2"}}}'
    builder.hour(START, joined([*tweets(2), b"nonsense", b"", delete]))
    hour = cauce.Lake(builder.to_folder(tmp_path)).hour(HOUR)
    stream = hour.batches(["tweet_id"])
    assert sum(len(batch) for batch in stream) == 2
    stats = stream.stats
    assert (stats["rows"], stats["lines"], stats["tweets"], stats["messages"]) == (2, 5, 2, 1)
    assert (stats["blanks"], stats["rejects"]) == (1, 1)
    (reject,) = stream.rejects
    assert (reject.bytes, reject.line, reject.offset) == (b"nonsense", 3, len(joined(tweets(2))))


def test_each_consumer_begins_anew(hour: cauce.Hour) -> None:
    stream = hour.batches(["tweet_id"])
    assert pa.table(stream) == pa.table(stream)
    assert sum(len(batch) for batch in stream) == 20
    assert stream.stats["rows"] == 20


def test_a_schema_that_is_wished_for_is_not_followed(hour: cauce.Hour) -> None:
    wish = pa.schema([("tweet_id", pa.string())]).__arrow_c_schema__()
    stream = hour.batches(["tweet_id"])
    reader = pa.RecordBatchReader._import_from_c_capsule(stream.__arrow_c_stream__(wish))
    assert reader.schema.field("tweet_id").type == pa.int64()
    reader.close()


def test_a_capsule_that_nobody_reads_releases_what_it_holds(hour: cauce.Hour) -> None:
    for _ in range(50):
        hour.batches().__arrow_c_stream__()
        hour.batches().__arrow_c_schema__()
    next(iter(hour.batches())).__arrow_c_array__()


def test_an_error_reaches_whoever_reads_the_stream(hour: cauce.Hour) -> None:
    gone = Path(hour.objects[1].url)
    gone.unlink()
    with pytest.raises((OSError, ValueError, pa.ArrowException), match=gone.name):
        pa.table(hour.batches(["tweet_id"]))


def test_a_reading_that_is_closed_gives_no_more(hour: cauce.Hour) -> None:
    with iter(hour.batches(["tweet_id"], batch_rows=1)) as batches:
        assert len(next(batches)) >= 1
    assert list(batches) == []
