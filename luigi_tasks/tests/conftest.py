"""Real parts for the tests: lakes that `ingest` wrote, an S3 server, luigid, and luigi as its users start it.

`INGEST` names the program (`make test` sets it; target/debug/ingest otherwise). Nothing takes a fixed port, and nothing outlives
a test run.
"""

import os
import pathlib
from collections.abc import Iterator

import pytest
from servers import Luigid, Moto
from tweets import HOURS, Tweet, made, write_lines
from world import World, ingest_files


@pytest.fixture(scope="session")
def tweets() -> list[Tweet]:
    """The tweets of the test lakes: three hours of them, with text that tries to break out."""
    return made()


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory, tweets: list[Tweet]) -> pathlib.Path:
    """A file of lines as the API sends them."""
    path = tmp_path_factory.mktemp("archive") / "tweets.jsonl"
    write_lines(path, tweets)
    return path


@pytest.fixture(scope="session")
def lake_folder(tmp_path_factory: pytest.TempPathFactory, archive: pathlib.Path) -> pathlib.Path:
    """A lake in a folder, written and closed by `ingest`. Tests do not change it."""
    root = tmp_path_factory.mktemp("lake")
    ingest_files(archive, str(root / "lake"), root)
    assert sorted(path.stem for path in (root / "lake/_hours").glob("*.json")) == [f"{hour:%Y-%m-%dT%H}" for hour in HOURS]
    return root / "lake"


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    """A real S3 server over HTTP, on loopback."""
    with Moto(tmp_path_factory.mktemp("moto") / "moto.log") as server:
        yield server


@pytest.fixture(scope="session")
def lake_s3(moto: Moto, tmp_path_factory: pytest.TempPathFactory, archive: pathlib.Path) -> str:
    """The same lake on the S3 server."""
    moto.make_bucket("tweets")
    ingest_files(archive, "s3://tweets/lake", tmp_path_factory.mktemp("spool"), moto.variables())
    return "s3://tweets/lake"


@pytest.fixture
def luigid(tmp_path: pathlib.Path) -> Iterator[Luigid]:
    """A central scheduler with the history database and Prometheus metrics of the example configuration."""
    with Luigid(tmp_path / "luigid") as server:
        yield server


@pytest.fixture
def world(tmp_path: pathlib.Path, lake_folder: pathlib.Path) -> Iterator[World]:
    """A folder to work in: the lake, and places for Parquet and reports."""
    made = World(tmp_path / "world", str(lake_folder))
    yield made
    made.watched()


@pytest.fixture
def world_s3(tmp_path: pathlib.Path, lake_s3: str, moto: Moto) -> Iterator[World]:
    """The same with everything on the S3 server."""
    bucket = moto.make_bucket(f"out-{os.urandom(4).hex()}")
    made = World(tmp_path / "world", lake_s3, f"s3://{bucket}/parquet", f"s3://{bucket}/reports", moto)
    yield made
    made.watched()
