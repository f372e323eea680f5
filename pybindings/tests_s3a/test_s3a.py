"""Spark's own readers over S3, by the three jars that docs/spark.md names: raw hours as JSON, and the Parquet table.

Two servers that have nothing in common answer. Spark fetches the jars as it does for `--packages`, 650 MB, so that
`make test` leaves these out; `make test-s3a` runs them. What came must be the files that the images carry.
"""

import hashlib
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cauce
import pytest
from lakes import START, Builder, GoS3Server, S3Server, hours_from, joined, tweets
from sessions import clean_environment, session

ROOT = Path(__file__).resolve().parents[2]
IVY = Path(os.environ.get("S3A_IVY", ROOT / "target/ivy")).absolute()
# Read before the environment is made clean for Spark.
GO_S3 = os.environ.get("CAUCE_TEST_GO_S3") or shutil.which("versitygw")
REQUIRED = os.environ.get("CAUCE_TEST_REQUIRE", "").split(",")
SERVERS = ("moto", "go-s3")


def told() -> dict[str, str]:
    """The settings of the line in docs/spark.md that starts a shell with s3a."""
    (block,) = re.findall(r"^```\n(pyspark --packages .*?)^```", (ROOT / "docs/spark.md").read_text(), re.M | re.S)
    words = shlex.split(block.replace("\\\n", " "))
    assert words[0:2] == ["pyspark", "--packages"]
    assert words[3::2] == ["--conf"] * len(words[3::2])
    return {"spark.jars.packages": words[2], **dict(word.split("=", 1) for word in words[4::2])}


def go_s3(folder: Path) -> S3Server:
    """VersityGW; a test that wants it is left out where it is missing, unless `CAUCE_TEST_REQUIRE` names it."""
    if not GO_S3 or not Path(GO_S3).is_file():
        (pytest.fail if "go-s3" in REQUIRED else pytest.skip)(
            "CAUCE_TEST_GO_S3 names no program, and versitygw is not on the PATH"
        )
    return GoS3Server(Path(GO_S3).absolute(), folder, os.environ)


@pytest.fixture(scope="module")
def environment() -> Iterator[pytest.MonkeyPatch]:
    with clean_environment() as patch:
        yield patch


@pytest.fixture(scope="module")
def spark(environment: pytest.MonkeyPatch) -> Iterator[Any]:
    """A Spark with the jars; where a server is, each reading says."""
    settings = {**told(), "spark.jars.ivy": str(IVY)}
    if mirrors := os.environ.get("REPOSITORIES"):
        settings["spark.jars.repositories"] = mirrors
    with session(settings) as started:
        yield started


@pytest.fixture(scope="module", params=SERVERS)
def s3(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    server = S3Server(os.environ) if request.param == "moto" else go_s3(tmp_path_factory.mktemp("go-s3"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def places(s3: S3Server, spark: Any, request: pytest.FixtureRequest) -> tuple[str, str]:
    """Three hours of 600 tweets, as they came, gzip in the second; and their Parquet. As s3a names both places."""
    builder = Builder()
    for number, hour in enumerate(hours_from(START, 3)):
        bodies = [joined(tweets(300, number * 600 + part * 300)) for part in range(2)]
        builder.hour(hour, *bodies, codec="gzip" if number == 1 else "none")
    name = type(s3).__name__.lower()
    lake = cauce.Lake(builder.to_bucket(s3, f"raw-{name}", "tweets/"), endpoint_url=s3.url, region="us-east-1")
    s3.client().create_bucket(Bucket=f"table-{name}")
    cauce.convert(lake, None, f"s3://table-{name}/parquet")
    return f"s3a://raw-{name}/tweets", f"s3a://table-{name}/parquet"


def reader(spark: Any, s3: S3Server) -> Any:
    return spark.read.option("fs.s3a.endpoint", s3.url)


def test_the_jars_are_those_that_the_images_carry(spark: Any) -> None:
    lines = (ROOT / "docker-images/spark/jars.sha256").read_text().splitlines()
    wanted = {name: digest for digest, name in (line.split() for line in lines)}
    found = {}
    for jar in (IVY / "jars").glob("*.jar"):
        with jar.open("rb") as file:
            found[jar.name] = hashlib.file_digest(file, "sha256").hexdigest()
    assert found == wanted


def test_hours_are_read_as_json_by_their_folders(spark: Any, s3: S3Server, places: tuple[str, str]) -> None:
    frame = (
        reader(spark, s3)
        .schema("data struct<id: string, text: string>")
        .json([f"{places[0]}/11-22-05", f"{places[0]}/11-22-06"])
    )
    rows = sorted((int(row.id), row.text) for row in frame.select("data.id", "data.text").collect())
    assert rows == [(2**53 + number, f"ñandú {number} 🐦") for number in range(1200)]


def test_the_table_is_read_as_parquet_by_its_day_and_hour(spark: Any, s3: S3Server, places: tuple[str, str]) -> None:
    table = reader(spark, s3).parquet(places[1])
    assert table.count() == 1800
    one = table.where("date = '2026-11-22' and hour = 6").selectExpr(
        "count(*)", "min(tweet_id)", "max(author.username)"
    )
    assert [tuple(row) for row in one.collect()] == [(600, 2**53 + 600, "ana")]
