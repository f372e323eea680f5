"""What several tests share."""

import os
from collections.abc import Iterator
from pathlib import Path

import cauce
import pytest
from lakes import HOUR, START, Builder, S3Server, hours_from, joined, tweets


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a test sets is set."""
    for name in list(os.environ):
        if name.startswith(("CAUCE_", "AWS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three closed hours of 20 tweets in two objects, and one that is open."""
    builder = Builder()
    for number, hour in enumerate(hours_from(START, 3)):
        first = number * 20
        builder.hour(hour, joined(tweets(12, first)), joined(tweets(8, first + 12)))
    builder.open_hour(hours_from(START, 4)[3], joined(tweets(5, 60)))
    return builder.to_folder(tmp_path / "lake")


@pytest.fixture
def lake(folder: Path) -> cauce.Lake:
    return cauce.Lake(folder)


@pytest.fixture
def hour(lake: cauce.Lake) -> cauce.Hour:
    return lake.hour(HOUR)


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """An S3 server on loopback; each test takes a bucket of its own."""
    server = S3Server(os.environ)
    yield server
    server.stop()
