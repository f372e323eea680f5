"""One Spark for all of these tests, on two cores of this machine.

They are left out, with a word, where Java or pyspark is missing.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lakes import START, Builder, S3Server, hours_from, joined, tweets
from sessions import clean_environment, session

# Where Java is missing nothing of this can run, and Spark's own words for that are no help.
WITHOUT = "" if shutil.which("java") or os.environ.get("JAVA_HOME") else "Java is not installed"
if not WITHOUT:
    try:
        import pyspark  # noqa: F401
    except ImportError:
        WITHOUT = "pyspark is not installed"
collect_ignore_glob = ["test_*.py"] if WITHOUT else []


def pytest_report_header() -> str:
    return f"Spark's tests are left out: {WITHOUT}" if WITHOUT else "with Spark"


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """No tests are no failure where Java is missing."""
    if WITHOUT and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = pytest.ExitCode.OK


@pytest.fixture(scope="session")
def environment() -> Iterator[pytest.MonkeyPatch]:
    with clean_environment() as patch:
        yield patch


@pytest.fixture(scope="session")
def spark(environment: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One for all; nothing registers the data source."""
    folder = tmp_path_factory.mktemp("spark")
    # Without options the lake is the one of the variables, which executors inherit.
    environment.setenv("CAUCE_LAKE__URL", str(a_lake().to_folder(folder / "lake")))
    settings = {
        "spark.sql.python.filterPushdown.enabled": "true",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.log.level": "WARN",
    }
    with session(settings) as started:
        yield started


def a_lake() -> Builder:
    """Three closed hours of 20 tweets in two objects, late tweets of the first, and an hour that is open."""
    builder = Builder()
    for number, hour in enumerate(hours_from(START, 3)):
        first = number * 20
        builder.hour(hour, joined(tweets(12, first)), joined(tweets(8, first + 12)))
    builder.late(START, 1, joined(tweets(3, 100)))
    builder.open_hour(hours_from(START, 4)[3], joined(tweets(5, 60)))
    return builder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_lake().to_folder(tmp_path / "lake")


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    server = S3Server(os.environ)
    yield server
    server.stop()
