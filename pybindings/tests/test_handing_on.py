"""Hours in the hands of other libraries: tables, SQL, URLs with their options, notebooks, event loops."""

import asyncio
import datetime as dt
import pickle
import sys
import traceback
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cauce
import duckdb
import obstore.store
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


def test_a_relation_of_duckdb_reads_the_hours_anew_each_time(lake: cauce.Lake) -> None:
    relation = lake.sql("select count(*) from tweets", closed=True, columns=["tweet_id"])
    assert [relation.fetchall() for _ in range(2)] == [[(60,)]] * 2


@pytest.mark.parametrize(
    ("method", "library"),
    [("to_arrow", "pyarrow"), ("to_pandas", "pandas"), ("to_polars", "polars"), ("sql", "duckdb")],
)
def test_a_library_that_is_missing_is_named_as_pip_calls_it(
    lake: cauce.Lake, method: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As Python notes a module that is not to be found.
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=rf"^Lake\.{method} needs {library}: pip install {library}$"):
        getattr(lake, method)(*(["select 1"] if method == "sql" else []))


def test_the_methods_are_documented_where_python_looks(lake: cauce.Lake) -> None:
    methods: list[Any] = [lake.to_arrow, lake.to_pandas, lake.to_polars, lake.sql, lake.storage_options]
    for method in methods:
        assert method.__doc__
        assert method.__func__.__qualname__.startswith("Lake.")


def test_a_callback_of_a_conversion_may_read_the_lake_as_a_table(lake: cauce.Lake, tmp_path: Path) -> None:
    # The consumer lets go of the interpreter below native code that holds it.
    rows = []

    def tell(progress: cauce.Progress) -> None:
        if progress.last is not None:
            rows.append(lake.to_arrow(progress.last.name, columns=["tweet_id"], closed=True).num_rows)

    cauce.convert(lake, None, tmp_path / "pq", progress=tell, jobs=1)
    assert rows == [60, 40, 20]


def test_an_iterable_of_hours_may_read_the_lake_as_a_table(lake: cauce.Lake) -> None:
    def wanted() -> Iterator[str]:
        for name in (HOUR, "2026-11-22T06"):
            assert lake.to_arrow(name, columns=["tweet_id"]).num_rows > 0
            assert lake.to_polars(name, columns=["tweet_id"]).height > 0
            yield name

    assert lake.closed(wanted()) == {HOUR, "2026-11-22T06"}


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
    assert plain.storage_options() == plain.storage_options("fsspec") == {}
    assert plain.storage_options("duckdb") == "create or replace secret cauce (type s3, provider credential_chain)"
    with pytest.raises(ValueError, match="library: 'dask' must be one of polars, obstore, fsspec, duckdb"):
        plain.storage_options("dask")  # type: ignore[call-overload]


def test_an_endpoint_of_awss_own_variables_is_in_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    lake = cauce.Lake("s3://my-bucket/x", region="eu-west-1")
    assert lake.storage_options()["aws_endpoint_url"] == "http://127.0.0.1:9"
    assert "endpoint '127.0.0.1:9', use_ssl false" in lake.storage_options("duckdb")


def test_obstore_reads_the_urls_with_its_options(lake_s3: cauce.Lake) -> None:
    options: Any = lake_s3.storage_options("obstore")
    store = obstore.store.S3Store("handing-on", **options)
    lines: list[bytes] = []
    for url in lake_s3.hour(START).urls():
        lines += bytes(obstore.get(store, url.removeprefix("s3://handing-on/")).bytes()).splitlines()
    assert lines == list(lake_s3.hour(START).lines())


def test_fsspec_reads_the_urls_with_its_options(lake_s3: cauce.Lake) -> None:
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    import fsspec

    options = {**lake_s3.storage_options("fsspec"), "skip_instance_cache": True}
    lines: list[bytes] = []
    for url in lake_s3.hour(START).urls():
        with fsspec.open(url, **options) as file:
            lines += file.read().splitlines()
    assert lines == list(lake_s3.hour(START).lines())


def test_keys_are_in_the_options_alone(lake_s3: cauce.Lake) -> None:
    hour = lake_s3.hour(START)
    shown = [repr(lake_s3), lake_s3._repr_html_(), repr(hour), hour._repr_html_(), str(hour.objects)]
    shown += [repr(hour.lines()), repr(hour.records()), repr(hour.batches()), repr(iter(hour.batches()))]
    shown += [repr(hour.lines().__aiter__()), repr(pickle.dumps(lake_s3)), repr(lake_s3.sql("select 1"))]
    assert not [text for text in shown if "it's" in text or "it&#x27;s" in text]


def test_the_urls_of_a_folder_are_paths(lake: cauce.Lake, folder: Path) -> None:
    for url in lake.hour(HOUR).urls():
        assert Path(url).is_file()
        assert Path(url).is_relative_to(folder)


class Cells(HTMLParser):
    """The titles and styles of a calendar's cells, and all text; tags that do not match are an error."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.cells: dict[str, str] = {}
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if "title" in told:
            self.cells[str(told["title"])] = str(told["style"])
        if tag != "br":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_notebook_shows_a_calendar_of_what_is_closed_open_missing_and_has_gaps(tmp_path: Path) -> None:
    builder = Builder()
    gap: dict[str, Any] = {
        "from": "2026-11-22T06:12:07Z",
        "to": None,
        "cause": "stall",
        "repaired_by": None,
        "tweets": 0,
    }
    hours = hours_from(START, 28)
    builder.hour(hours[0], joined(tweets(20)))
    builder.hour(hours[1], joined(tweets(1, 20)), gaps=[gap])
    builder.open_hour(hours[27], joined(tweets(5, 60)))
    shown = Cells(cauce.Lake(builder.to_folder(tmp_path))._repr_html_())
    assert "2 closed hours, 1 open hour, 25 missing, 21 tweets, 1 gap" in shown.text
    assert len(shown.cells) == 48
    styles = {
        title: shown.cells[title]
        for title in (
            "2026-11-22T05: 20 tweets",
            "2026-11-22T06: 1 tweet, 1 gap",
            "2026-11-22T07: missing",
            "2026-11-23T08: open",
            "2026-11-22T04: outside of what is there",
        )
    }
    assert len(set(styles.values())) == len(styles)
    assert sum("missing" in title for title in shown.cells) == 25


def test_a_calendar_is_of_the_newest_month(tmp_path: Path) -> None:
    builder = Builder()
    for days in (0, 29, 30, 31):
        builder.hour(START + dt.timedelta(days=days), joined(tweets(2, days * 2)))
    shown = Cells(cauce.Lake(builder.to_folder(tmp_path), pattern="%m-%d-%h")._repr_html_())
    assert "2026-11-23 to 2026-12-23: 3 closed hours" in shown.text
    assert len(shown.cells) == 31 * 24


def test_a_lake_that_cannot_be_listed_is_shown_with_the_reason(tmp_path: Path) -> None:
    lake = cauce.Lake(tmp_path / "<nowhere>")
    assert "cauce.LakeNotFound: there is no folder" in Cells(lake._repr_html_()).text
    assert "<nowhere>" not in lake._repr_html_()


def test_a_notebook_shows_an_hours_objects_and_escapes_what_it_shows(tmp_path: Path) -> None:
    root = tmp_path / "<b>lake"
    builder = Builder()
    builder.hour(hours_from(START, 1)[0], joined(tweets(3)))
    lake = cauce.Lake(builder.to_folder(root))
    shown = lake.hour(START)._repr_html_()
    assert "<b>lake" not in shown
    assert "&lt;b&gt;lake" in shown
    assert lake.hour(START).objects[0].key in shown
    assert ">3</td>" in shown
    Cells(shown)


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


def test_an_error_in_an_event_loop_comes_after_the_lines_before_it(lake: cauce.Lake) -> None:
    hour = lake.hour(HOUR)
    Path(hour.urls()[1]).unlink()
    lines = []

    async def read() -> None:
        async for line in hour.lines():
            lines.append(line)

    with pytest.raises(cauce.ObjectNotFound):
        asyncio.run(read())
    assert len(lines) == 12


def test_records_are_read_in_an_event_loop(lake: cauce.Lake) -> None:
    async def read() -> list[dict[str, Any]]:
        return [record async for record in lake.hour(HOUR).records(["data"])]

    assert asyncio.run(read()) == list(lake.hour(HOUR).records(["data"]))


def test_a_task_that_is_cancelled_while_it_waits_takes_no_line_along(lake: cauce.Lake) -> None:
    async def read() -> list[bytes]:
        lines = lake.hour(HOUR).lines().__aiter__()
        waiting = asyncio.ensure_future(anext(lines))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return [line async for line in lines]

    assert asyncio.run(read()) == list(lake.hour(HOUR).lines())


def test_what_is_read_shows_what_it_is(lake: cauce.Lake) -> None:
    hour = lake.hour(HOUR)
    first, last = (found.key for found in hour.objects)
    assert repr(hour.lines()) == f"<cauce.Lines of 2 objects, {first} to {last}>"
    assert repr(hour.lines(objects=[first])) == f"<cauce.Lines of {first}>"
    assert repr(hour.records()) == f"<cauce.Records of 2 objects, {first} to {last}>"
    stream = lake.batches(lake.hours(closed=True), ["tweet_id", "lang"])
    assert repr(stream) == f"<cauce.BatchStream of 3 hours, {HOUR} to 2026-11-22T07: tweet_id, lang>"
    assert repr(iter(stream)) == "<cauce.Batches of tweet_id, lang>"
    assert repr(hour.objects[0]).startswith("<cauce.Object /")


def test_errors_are_shown_by_the_names_by_which_they_are_caught(lake: cauce.Lake) -> None:
    with pytest.raises(cauce.HourNotFound) as caught:
        lake.hour(dt.datetime(2030, 1, 1))
    assert traceback.format_exception_only(caught.value)[-1].startswith("cauce.HourNotFound: ")
    assert isinstance(pickle.loads(pickle.dumps(caught.value)), cauce.HourNotFound)


def test_every_error_is_named_by_the_module_and_pickled() -> None:
    errors = [
        found for found in vars(cauce).values() if isinstance(found, type) and issubclass(found, Warning | Exception)
    ]
    assert len(errors) > 14
    for found in errors:
        assert f"{found.__module__}.{found.__qualname__}" == f"cauce.{found.__name__}"
        assert pickle.loads(pickle.dumps(found)) is found
