"""The root of converted hours is one table for every reader, as it is, while rejects lie beside it."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import cauce
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, Field, Schema, convert_to_deltalake
from deltalake.schema import PrimitiveType
from lakes import START, Builder, S3Server, hours_from, joined
from pyiceberg.catalog.glue import GlueCatalog

COLUMNS = ["tweet_id", "text", "edit_ids", "hashtags", "rule_ids", "rule_tags", "media"]


def line(number: int) -> bytes:
    """A tweet whose lists are full, empty or missing, at two depths."""
    post: dict[str, Any] = {"id": str(2**53 + number), "text": f"ñandú {number}"}
    rules = []
    media = []
    if number % 3 != 0:
        post["edit_history_tweet_ids"] = [post["id"]]
        post["entities"] = {"hashtags": [{"tag": f"t{n}", "start": n, "end": n + 3} for n in range(number % 3)]}
        rules = [{"id": str(7 + n), "tag": None if n else "eins"} for n in range(number % 3)]
    if number % 4 == 1:
        post["attachments"] = {"media_keys": ["3_1"]}
        variants = [{"content_type": "video/mp4", "bit_rate": 1 + n, "url": f"https://v/{n}"} for n in range(2)]
        media = [{"media_key": "3_1", "type": "video", "variants": variants}]
    return json.dumps({"data": post, "includes": {"media": media}, "matching_rules": rules}).encode()


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> cauce.Lake:
    builder = Builder()
    for first, hour in enumerate(hours_from(START, 2)):
        builder.hour(hour, joined([*(line(20 * first + number) for number in range(20)), b'{"data":']))
    return cauce.Lake(builder.to_folder(tmp_path_factory.mktemp("readers") / "lake"))


@pytest.fixture(scope="module")
def wanted(lake: cauce.Lake) -> list[dict[str, Any]]:
    """The rows without a file between: what the decoder gives."""
    batches = lake.batches(lake.hours(), columns=COLUMNS)
    rows: list[dict[str, Any]] = pa.table(batches).to_pylist()
    assert len(rows) == 40
    assert {len(row["hashtags"] or []) for row in rows} == {0, 1, 2}
    assert any(row["media"] and len(row["media"][0]["variants"]) == 2 for row in rows)
    return rows


@pytest.fixture(scope="module")
def root(lake: cauce.Lake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("converted") / "pq"
    summary = cauce.convert(lake, None, place)
    assert (summary.rows, summary.rejects) == (40, 2)
    return place


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(({name: row[name] for name in COLUMNS} for row in rows), key=lambda row: row["tweet_id"])


def test_rejects_lie_beside_the_root_and_nothing_but_parquet_and_markers_in_it(root: Path) -> None:
    def names(folder: Path) -> list[str]:
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())

    hours = ["date=2026-11-22/hour=05", "date=2026-11-22/hour=06"]
    assert names(root) == [f"{hour}/{name}" for hour in hours for name in ("_SUCCESS", "tweets.parquet")]
    assert not (root / ".cauce-stage").exists()
    beside = root.with_name("pq-rejects")
    assert names(beside) == [f"{hour}.jsonl" for hour in hours]
    assert not (beside / ".cauce-stage").exists()
    assert json.loads((beside / f"{hours[0]}.jsonl").read_text())["line"] == 21


def test_lists_are_written_as_the_format_says_and_the_file_tells_its_version(root: Path) -> None:
    footer = pq.read_metadata(root / "date=2026-11-22/hour=05/tweets.parquet")
    paths = {footer.schema.column(number).path for number in range(footer.num_columns)}
    assert {"rule_ids.list.element", "hashtags.list.element.tag"} <= paths
    assert "media.list.element.variants.list.element.url" in paths
    assert not any(".item" in path for path in paths)
    assert footer.metadata[b"cauce.schema_version"] == b"2"


def test_polars_reads_the_root(root: Path, wanted: list[dict[str, Any]]) -> None:
    table = pl.scan_parquet(root).collect()
    assert in_order(table.to_dicts()) == wanted
    types = {name: str(table.schema[name]) for name in ("date", "hour")}
    assert types == {"date": "Date", "hour": "Int64"}


def test_duckdb_reads_the_root(root: Path, wanted: list[dict[str, Any]]) -> None:
    with duckdb.connect() as connection:
        found = connection.sql(f"SELECT * FROM read_parquet('{root}/**/*.parquet')")
        assert in_order(found.to_arrow_table().to_pylist()) == wanted
        types = dict(zip(found.columns, map(str, found.types), strict=True))
        assert (types["date"], types["hour"]) == ("DATE", "VARCHAR")
        count = (
            f"SELECT count(*) FROM read_parquet('{root}/**/*.parquet', hive_types = {{'hour': INTEGER}}) WHERE hour = 5"
        )
        assert connection.sql(count).fetchall() == [(20,)]


def test_pandas_reads_the_root(root: Path, wanted: list[dict[str, Any]]) -> None:
    frame = pd.read_parquet(root)
    assert in_order(pa.Table.from_pandas(frame[COLUMNS]).to_pylist()) == wanted
    assert sorted({(str(date), int(hour)) for date, hour in zip(frame["date"], frame["hour"], strict=True)}) == [
        ("2026-11-22", 5),
        ("2026-11-22", 6),
    ]


def test_pyarrow_reads_the_root(root: Path, wanted: list[dict[str, Any]]) -> None:
    dataset = pads.dataset(root, partitioning="hive")
    assert in_order(dataset.to_table().to_pylist()) == wanted
    assert (dataset.schema.field("date").type, dataset.schema.field("hour").type) == (pa.string(), pa.int32())


def test_pyiceberg_adds_the_files_as_they_are(
    root: Path, wanted: list[dict[str, Any]], tmp_path: Path, s3: S3Server
) -> None:
    files = sorted(str(path) for path in root.rglob("*.parquet"))
    keys = {"glue.access-key-id": "test", "glue.secret-access-key": "test", "glue.region": "us-east-1"}
    catalog = GlueCatalog("test", **keys, **{"glue.endpoint": s3.url, "warehouse": f"file://{tmp_path}/warehouse"})
    catalog.create_namespace("readers")
    table = catalog.create_table("readers.tweets", schema=pq.read_schema(files[0]))
    table.add_files(files)
    # Its own reading gives an empty list of structs for one that is null.
    structs = ("hashtags", "media")
    told = [{**row, **{name: row[name] or [] for name in structs}} for row in wanted]
    assert in_order(table.scan().to_arrow().to_pylist()) == told


def test_deltalake_takes_the_root_for_a_table(root: Path, wanted: list[dict[str, Any]], tmp_path: Path) -> None:
    # It writes its log into the root.
    copy = shutil.copytree(root, tmp_path / "pq")
    partitions = Schema([Field("date", PrimitiveType("date")), Field("hour", PrimitiveType("integer"))])
    convert_to_deltalake(copy, partition_by=partitions, partition_strategy="hive")
    table = DeltaTable(copy)
    assert in_order(pa.table(table.to_pyarrow_table()).to_pylist()) == wanted


INGEST = os.environ.get("INGEST")


@pytest.mark.skipif(not INGEST, reason="INGEST names the program to be tested")
def test_the_statements_for_duckdb_make_a_view_of_the_root(root: Path, wanted: list[dict[str, Any]]) -> None:
    assert INGEST is not None
    line = [INGEST, "convert", "--print-ddl", "duckdb", "--to", str(root)]
    statements = subprocess.run(line, check=True, capture_output=True, text=True).stdout
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'America/Los_Angeles'")
        connection.execute(statements)
        assert in_order(connection.sql("FROM tweets").to_arrow_table().to_pylist()) == wanted
        hours = "SELECT date::VARCHAR, hour, count(*) FROM tweets WHERE hour >= 5 GROUP BY ALL ORDER BY ALL"
        assert connection.sql(hours).fetchall() == [("2026-11-22", 5, 20), ("2026-11-22", 6, 20)]
        assert connection.sql("SELECT current_setting('TimeZone')").fetchall() == [("UTC",)]
