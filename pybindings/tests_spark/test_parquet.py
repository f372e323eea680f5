"""Spark reads the root of converted hours as it is, and as a table by the statements that `ingest convert` prints."""

import os
import subprocess
from pathlib import Path
from typing import Any

import cauce
import pytest
from lakes import START, Builder, hours_from, joined, tweets

INGEST = os.environ.get("INGEST")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hours with rejects, which lie beside them."""
    builder = Builder()
    for number, hour in enumerate(hours_from(START, 2)):
        builder.hour(hour, joined([*tweets(20, 20 * number), b'{"data":']))
    place = tmp_path_factory.mktemp("converted")
    summary = cauce.convert(cauce.Lake(builder.to_folder(place / "lake")), None, place / "pq")
    assert (summary.rows, summary.rejects) == (40, 2)
    return place / "pq"


def counts(table: Any) -> list[tuple[str, int, int]]:
    rows = table.groupBy("date", "hour").count().orderBy("hour").collect()
    return [(str(row["date"]), row["hour"], row["count"]) for row in rows]


def test_the_root_is_one_table_with_rejects_beside_it(spark: Any, root: Path) -> None:
    table = spark.read.parquet(str(root))
    assert counts(table) == [("2026-11-22", 5, 20), ("2026-11-22", 6, 20)]
    assert sorted(row["tweet_id"] for row in table.collect()) == [2**53 + number for number in range(40)]
    assert dict(table.dtypes)["rule_ids"] == "array<bigint>"


@pytest.mark.parametrize(
    ("setting", "value", "types"),
    [
        ("spark.sql.session.timeZone", "America/Los_Angeles", ("date", "int")),
        ("spark.sql.session.timeZone", "Asia/Tokyo", ("date", "int")),
        ("spark.sql.sources.partitionColumnTypeInference.enabled", "false", ("string", "string")),
    ],
)
def test_partitions_are_the_hours_in_utc_whatever_the_session_infers(
    spark: Any, root: Path, setting: str, value: str, types: tuple[str, str]
) -> None:
    before = spark.conf.get(setting)
    spark.conf.set(setting, value)
    try:
        table = spark.read.parquet(str(root))
        found = dict(table.dtypes)
        assert (found["date"], found["hour"]) == types
        rows = {(str(row["date"]), int(row["hour"])) for row in table.select("date", "hour").distinct().collect()}
        assert rows == {("2026-11-22", 5), ("2026-11-22", 6)}
        assert table.where("date = '2026-11-22' and hour = 5").count() == 20
        lake = cauce.Lake(root.parent / "lake")
        wanted = lake.to_arrow(columns=["tweet_id", "received_at"]).sort_by("tweet_id").to_pylist()
        moments = table.orderBy("tweet_id").selectExpr("unix_micros(received_at)").collect()
        assert [row[0] for row in moments] == [row["received_at"].timestamp() * 1e6 for row in wanted]
    finally:
        spark.conf.set(setting, before)


@pytest.mark.skipif(not INGEST, reason="INGEST names the program to be tested")
def test_the_printed_statements_make_a_table_of_the_root(spark: Any, root: Path) -> None:
    assert INGEST is not None
    line = [INGEST, "convert", "--print-ddl", "spark", "--to", str(root)]
    statements = subprocess.run(line, check=True, capture_output=True, text=True).stdout.split(";\n")
    assert statements.pop() == ""
    # The session is shared, and a view of this name hides the table.
    spark.catalog.dropTempView("tweets")
    try:
        for statement in statements:
            spark.sql(statement)
        table = spark.table("tweets")
        assert counts(table) == [("2026-11-22", 5, 20), ("2026-11-22", 6, 20)]
        assert table.where("hour = 5 and date = '2026-11-22'").count() == 20
        read = spark.read.parquet(str(root))
        assert table.dtypes == read.dtypes
        assert table.orderBy("tweet_id").collect() == read.orderBy("tweet_id").collect()
    finally:
        spark.sql("DROP TABLE IF EXISTS tweets")
