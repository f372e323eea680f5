"""`spark.readStream.format("cauce")`: closed hours, each once, in order, over restarts."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from lakes import START, Builder, joined, tweets
from pyspark.errors import PySparkException

FIRST_ID = 2**53
PATIENCE = 240


class Growing:
    """A lake that grows between the runs of a query, and what the query has put into its sink."""

    def __init__(self, root: Path) -> None:
        self.lake, self._checkpoint, self._sink = root / "lake", root / "checkpoint", root / "sink"
        self._builder = Builder()
        self.lake.mkdir()

    def close(self, number: int) -> None:
        """Closes an hour: ten tweets, whose ids tell the hour."""
        hour = START + dt.timedelta(hours=number)
        self._builder.hour(hour, joined(tweets(10, number * 10)))
        self._builder.to_folder(self.lake)

    def run(self, spark: Any, **options: object) -> list[int]:
        """Takes what is there now, and gives how many hours each of its batches took."""
        reader = spark.readStream.format("cauce").schema("tweet_id long")
        for name, value in options.items():
            reader = reader.option(name, value)
        query = (
            reader.load(str(self.lake))
            .writeStream.format("parquet")
            .option("checkpointLocation", str(self._checkpoint))
            .trigger(availableNow=True)
            .start(str(self._sink))
        )
        try:
            assert query.awaitTermination(PATIENCE)
        finally:
            query.stop()
        return [batch["numInputRows"] // 10 for batch in query.recentProgress if batch["numInputRows"]]

    def stored(self, spark: Any) -> list[int]:
        """The tweets in the sink."""
        return sorted(row.tweet_id - FIRST_ID for row in spark.read.parquet(str(self._sink)).collect())


@pytest.fixture
def growing(tmp_path: Path) -> Growing:
    return Growing(tmp_path)


def test_closed_hours_are_streamed_once_over_restarts_so_many_a_batch(spark: Any, growing: Growing) -> None:
    for number in range(5):
        growing.close(number)
    assert growing.run(spark, maxHoursPerBatch=2) == [2, 2, 1]
    assert growing.stored(spark) == list(range(50))
    assert growing.run(spark, maxHoursPerBatch=2) == []
    growing.close(5)
    # An hour that is not closed yet holds back those after it.
    growing.close(7)
    # One before the beginning is not streamed.
    growing.close(-1)
    assert growing.run(spark) == [1]
    assert growing.stored(spark) == list(range(60))
    growing.close(6)
    assert growing.run(spark) == [2]
    assert growing.stored(spark) == list(range(80))


def test_a_stream_begins_and_ends_where_it_is_told(spark: Any, growing: Growing) -> None:
    for number in range(4):
        growing.close(number)
    assert growing.run(spark, start="2026-11-22T06", end="2026-11-22T08") == [2]
    assert growing.stored(spark) == list(range(10, 30))


def test_a_stream_of_a_lake_without_a_closed_hour_begins_with_the_first(spark: Any, growing: Growing) -> None:
    assert growing.run(spark) == []
    growing.close(3)
    growing.close(4)
    assert growing.run(spark) == [2]
    assert growing.stored(spark) == list(range(30, 50))


def test_a_running_stream_takes_an_hour_when_it_is_closed(spark: Any, growing: Growing) -> None:
    growing.close(0)
    reader = spark.readStream.format("cauce").schema("tweet_id long").load(str(growing.lake))
    query = reader.writeStream.format("memory").queryName("running").start()
    try:
        query.processAllAvailable()
        assert spark.table("running").count() == 10
        growing.close(1)
        query.processAllAvailable()
        assert spark.table("running").count() == 20
    finally:
        query.stop()


@pytest.mark.parametrize(("option", "value"), [("closedOnly", "false"), ("late", "true"), ("pushdown", "true")])
def test_what_has_no_meaning_for_a_stream_is_refused(spark: Any, growing: Growing, option: str, value: str) -> None:
    growing.close(0)
    with pytest.raises(PySparkException, match=f"option {option}"):
        growing.run(spark, **{option: value})


def test_an_hour_of_a_batch_that_is_closed_no_more_is_an_error(growing: Growing) -> None:
    from pyspark.sql.types import LongType, StructType
    from pyspark_cauce._columns import Columns
    from pyspark_cauce._options import Options
    from pyspark_cauce._stream import StreamReader

    for number in range(3):
        growing.close(number)
    reader = StreamReader(
        Options.read({"path": str(growing.lake)}), Columns.of(StructType().add("tweet_id", LongType()))
    )
    start, end = {"from": "2026-11-22T05", "next": "2026-11-22T05"}, {"from": "2026-11-22T05", "next": "2026-11-22T08"}
    assert len(reader.partitions(start, end)) == 1
    assert reader.partitions(end, end) == []
    (growing.lake / "_hours/2026-11-22T06.json").unlink()
    with pytest.raises(ValueError, match="2 of the 3 hours from 2026-11-22T05 to 2026-11-22T08"):
        reader.partitions(start, end)
