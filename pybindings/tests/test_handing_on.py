"""Hours in the hands of other libraries: tables, SQL, URLs with their options, notebooks, event loops."""

import asyncio
import datetime as dt
import pickle
import traceback
from pathlib import Path

import cauce
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from lakes import HOUR, START, Builder, S3Server, hours_from, joined, tweets


def test_a_range_becomes_a_table_of_each_library(lake: cauce.Lake) -> None:
    columns = ["tweet_id", "author.username"]
    table = lake.to_arrow(HOUR, "2026-11-22T07", columns)
    assert isinstance(table, pa.Table)
    assert table.num_rows == 40
    assert table.column_names == ["tweet_id", "author"]
    ids = table["tweet_id"].to_pylist()
    frame = lake.to_pandas(HOUR, "2026-11-22T07", columns)
    assert isinstance(frame, pd.DataFrame)
    assert frame["tweet_id"].tolist() == ids
    polars = lake.to_polars(HOUR, "2026-11-22T07", columns)
    assert isinstance(polars, pl.DataFrame)
    assert polars["tweet_id"].to_list() == ids


def test_only_closed_hours_are_read_where_that_is_asked_for(lake: cauce.Lake) -> None:
    assert lake.to_arrow(columns=["tweet_id"]).num_rows == 65
    assert lake.to_arrow(columns=["tweet_id"], closed=True).num_rows == 60
    assert lake.to_arrow("2030-01-01", columns=["tweet_id"]).num_rows == 0


def test_duckdb_answers_in_utc_whatever_the_zone_of_the_machine(
    lake: cauce.Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "America/Los_Angeles")
    days = lake.sql(
        "select distinct created_at::date, count(*) from tweets group by 1 order by 1", closed=True
    ).fetchall()
    assert sum(count for _, count in days) == 60
    hours = lake.sql("select distinct hour(created_at) from tweets", HOUR, "2026-11-22T06").fetchall()
    expected = {moment.hour for moment in lake.to_polars(HOUR, "2026-11-22T06")["created_at"].to_list()}
    assert {hour for (hour,) in hours} == expected


@pytest.fixture
def lake_s3(s3: S3Server) -> cauce.Lake:
    builder = Builder()
    builder.hour(hours_from(START, 1)[0], joined(tweets(30)), joined(tweets(20, 30)))
    return cauce.Lake(
        builder.to_bucket(s3, "handing-on", "a b/"),
        endpoint_url=s3.url,
        region="us-east-1",
        access_key_id="test",
        secret_access_key="it's",
    )


def test_urls_and_options_let_polars_read_the_same_lines(lake_s3: cauce.Lake) -> None:
    hour = lake_s3.hour(START)
    assert hour.urls() == [found.url for found in hour.objects]
    frame = pl.concat(
        pl.read_ndjson(url, storage_options=lake_s3.storage_options("polars"), infer_schema_length=None).select("data")
        for url in hour.urls()
    )
    assert frame.height == 50


def test_the_options_are_those_of_the_lake_in_each_librarys_words(lake_s3: cauce.Lake, s3: S3Server) -> None:
    assert lake_s3.storage_options() == {
        "aws_endpoint_url": s3.url,
        "aws_region": "us-east-1",
        "aws_access_key_id": "test",
        "aws_secret_access_key": "it's",
        "aws_virtual_hosted_style_request": "false",
        "aws_allow_http": "true",
    }
    assert lake_s3.storage_options("obstore") == lake_s3.storage_options("polars")
    assert lake_s3.storage_options("fsspec") == {
        "endpoint_url": s3.url,
        "key": "test",
        "secret": "it's",
        "client_kwargs": {"region_name": "us-east-1"},
        "config_kwargs": {"s3": {"addressing_style": "path"}},
    }
    address = s3.url.removeprefix("http://")
    assert lake_s3.storage_options("duckdb") == (
        "create or replace secret cauce (type s3, key_id 'test', secret 'it''s', region 'us-east-1', "
        f"endpoint '{address}', use_ssl false, url_style 'path')"
    )
    # DuckDB's own parser takes the statement.
    kinds = [statement.type for statement in duckdb.extract_statements(lake_s3.storage_options("duckdb"))]
    assert len(kinds) == 1
    plain = cauce.Lake("s3://my-bucket/x")
    assert plain.storage_options() == {}
    assert plain.storage_options("duckdb") == "create or replace secret cauce (type s3, provider credential_chain)"
    with pytest.raises(ValueError, match="must be polars, obstore, fsspec or duckdb"):
        plain.storage_options("dask")  # type: ignore[call-overload]


def test_the_urls_of_a_folder_are_paths(lake: cauce.Lake, folder: Path) -> None:
    for url in lake.hour(HOUR).urls():
        assert Path(url).is_file()
        assert Path(url).is_relative_to(folder)


def test_a_notebook_shows_a_calendar_of_the_lake(lake: cauce.Lake) -> None:
    shown = lake._repr_html_()
    assert "3 closed hours, 1 open hour, 60 tweets" in shown
    assert f'title="{HOUR}: 20 tweets"' in shown
    assert f'title="{hours_from(START, 4)[3]:%Y-%m-%dT%H}: open"' in shown
    assert shown.count("<td title=") == 24


def test_a_notebook_shows_an_hours_objects_and_escapes_what_it_shows(tmp_path: Path) -> None:
    root = tmp_path / "<b>lake"
    builder = Builder()
    builder.hour(hours_from(START, 1)[0], joined(tweets(3)))
    lake = cauce.Lake(builder.to_folder(root))
    shown = lake.hour(START)._repr_html_()
    assert "<b>lake" not in shown
    assert "&lt;b&gt;lake" in shown
    assert lake.hour(START).objects[0].key in shown
    assert "<td>3</td>" in shown


def test_an_empty_lake_is_shown_as_such(tmp_path: Path) -> None:
    assert "no hours yet" in cauce.Lake(tmp_path)._repr_html_()


def test_lines_and_batches_are_read_in_an_event_loop_that_goes_on(lake: cauce.Lake) -> None:
    async def read() -> tuple[list[bytes], int, int]:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        beside = asyncio.create_task(count())
        lines = [line async for line in lake.lines(lake.hours(closed=True))]
        rows = 0
        async for batch in lake.batches(lake.hours(closed=True), ["tweet_id"], 7):
            rows += batch.num_rows
        beside.cancel()
        return lines, rows, turns

    lines, rows, turns = asyncio.run(read())
    assert lines == list(lake.lines(lake.hours(closed=True)))
    assert rows == 60
    assert turns > 1


def test_an_error_in_an_event_loop_is_that_of_the_reading(lake: cauce.Lake, folder: Path) -> None:
    hour = lake.hour(HOUR)
    Path(hour.urls()[1]).unlink()

    async def read() -> None:
        async for _ in hour.lines():
            pass

    with pytest.raises(cauce.ObjectNotFound):
        asyncio.run(read())


def test_errors_are_shown_by_the_names_by_which_they_are_caught(lake: cauce.Lake) -> None:
    with pytest.raises(cauce.HourNotFound) as caught:
        lake.hour(dt.datetime(2030, 1, 1))
    assert traceback.format_exception_only(caught.value)[-1].startswith("cauce.HourNotFound: ")
    assert isinstance(pickle.loads(pickle.dumps(caught.value)), cauce.HourNotFound)
