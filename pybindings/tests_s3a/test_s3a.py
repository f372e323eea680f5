"""Spark's own readers over S3, by the three jars that docs/spark.md names: raw hours as JSON, and the Parquet table.

Spark fetches the jars as it does for `--packages`, 650 MB, so that `make test` leaves these out; `make test-s3a` runs
them. What came must be the files that the images carry.
"""

import hashlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cauce
import pytest
from lakes import START, Builder, S3Server, hours_from, joined, tweets

ROOT = Path(__file__).resolve().parents[2]
IVY = Path(os.environ.get("S3A_IVY", ROOT / "target/ivy")).absolute()
PACKAGES = re.search(r"--packages (\S+)", (ROOT / "docs/spark.md").read_text())


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    server = S3Server(os.environ)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def spark(s3: S3Server) -> Iterator[Any]:
    from pyspark.sql import SparkSession

    assert PACKAGES is not None
    settings = {
        "spark.jars.packages": PACKAGES.group(1),
        "spark.jars.ivy": str(IVY),
        "spark.jars.repositories": os.environ.get("REPOSITORIES", ""),
        "spark.ui.enabled": "false",
        "spark.driver.memory": "1g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.session.timeZone": "UTC",
        "spark.hadoop.fs.s3a.endpoint": s3.url,
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.endpoint.region": "us-east-1",
        "spark.hadoop.fs.s3a.input.stream.type": "classic",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        builder = SparkSession.builder.master("local[2]")
        for name, value in settings.items():
            builder = builder.config(name, value) if value else builder
        session = builder.getOrCreate()
        yield session
        session.stop()
        gateway: Any = session.sparkContext._gateway
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait(timeout=60)


@pytest.fixture(scope="module")
def lake(s3: S3Server) -> cauce.Lake:
    """Three hours of 600 tweets, as they came, gzip in the second."""
    builder = Builder()
    for number, hour in enumerate(hours_from(START, 3)):
        bodies = [joined(tweets(300, number * 600 + part * 300)) for part in range(2)]
        builder.hour(hour, *bodies, codec="gzip" if number == 1 else "none")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        lake = cauce.Lake(builder.to_bucket(s3, "raw", "tweets/"), endpoint_url=s3.url, region="us-east-1")
        s3.client().create_bucket(Bucket="table")
        cauce.convert(lake, None, "s3://table/parquet")
    return lake


def test_the_jars_are_those_that_the_images_carry(spark: Any) -> None:
    lines = (ROOT / "docker-images/spark/jars.sha256").read_text().splitlines()
    wanted = {name: digest for digest, name in (line.split() for line in lines)}
    found = {}
    for jar in (IVY / "jars").glob("*.jar"):
        with jar.open("rb") as file:
            found[jar.name] = hashlib.file_digest(file, "sha256").hexdigest()
    assert found == wanted


def test_hours_are_read_as_json_by_their_folders(spark: Any, lake: cauce.Lake) -> None:
    frame = spark.read.schema("data struct<id: string, text: string>").json(
        ["s3a://raw/tweets/11-22-05", "s3a://raw/tweets/11-22-06"]
    )
    rows = sorted((int(row.id), row.text) for row in frame.select("data.id", "data.text").collect())
    assert rows == [(2**53 + number, f"ñandú {number} 🐦") for number in range(1200)]


def test_the_table_is_read_as_parquet_by_its_day_and_hour(spark: Any, lake: cauce.Lake) -> None:
    table = spark.read.parquet("s3a://table/parquet")
    assert table.count() == 1800
    one = table.where("date = '2026-11-22' and hour = 6").selectExpr(
        "count(*)", "min(tweet_id)", "max(author.username)"
    )
    assert [tuple(row) for row in one.collect()] == [(600, 2**53 + 600, "ana")]
