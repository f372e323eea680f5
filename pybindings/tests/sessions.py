"""A Spark for tests, on two cores of this machine, that leaves no Java behind."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.driver.memory": "1g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "2",
}


@contextmanager
def clean_environment() -> Iterator[pytest.MonkeyPatch]:
    """What Spark's processes are to see: keys of the test servers, and no setting of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("CAUCE_", "AWS_", "SPARK_", "PYSPARK_")):
                patch.delenv(name)
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        yield patch


@contextmanager
def session(settings: Mapping[str, str]) -> Iterator[Any]:
    """Spark as `pyspark` starts it, with these settings more; Java has ended when the block has."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").appName("cauce")
    for name, value in {**SETTINGS, **settings}.items():
        builder = builder.config(name, value)
    started = builder.getOrCreate()
    gateway: Any = started.sparkContext._gateway
    try:
        yield started
    finally:
        started.stop()
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait(timeout=60)
