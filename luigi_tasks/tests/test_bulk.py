"""Long ranges on an S3 server: how many requests they take. Counted in the server's own log."""

import datetime as dt
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from servers import Moto
from tweets import FIRST
from world import World, text

HOURS = 2_880


def manifest(hour: dt.datetime) -> bytes:
    """A manifest of an empty hour, in the form of docs/lake-format.md."""
    at = f"{hour + dt.timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    fields = {"version": 1, "hour": text(hour), "agent": "test", "epoch": 1, "guarantee": "exactly-once", "tool_version": "test"}
    fields |= {"objects": [], "messages": [], "tweets": 0, "duplicates": 0, "gaps": [], "repairs": [], "opened_at": at, "closed_at": at}
    return json.dumps(fields).encode() + b"\n"


@pytest.fixture(scope="module")
def long_lake(moto: Moto) -> str:
    """2,880 hours, every second one closed."""
    bucket, client = moto.make_bucket("long"), moto.client()
    closed = [FIRST - dt.timedelta(hours=number) for number in range(1, HOURS + 1, 2)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda hour: client.put_object(Bucket=bucket, Key=f"lake/_hours/{text(hour)}.json", Body=manifest(hour)), closed))
    return "s3://long/lake"


def range_of(task: str, *more: str) -> list[str]:
    start = FIRST - dt.timedelta(hours=HOURS)
    limits = ["--start", text(start), "--stop", text(FIRST), "--hours-back", str(HOURS + 24), "--now", str(int(stamp(FIRST)))]
    return ["RangeHourly", "--of", task, *limits, *more]


def stamp(hour: dt.datetime) -> float:
    return hour.replace(tzinfo=dt.UTC).timestamp()


def test_2880_hours_of_a_lake_take_a_page_a_thousand_manifests(world_s3: World, long_lake: str, moto: Moto) -> None:
    world_s3.lake = long_lake
    before = len(moto.requests("long"))
    code, said = world_s3.luigi(*range_of("TweetHour", "--task-limit", "1"))
    asked = moto.requests("long")[before:]
    lists = [request for request in asked if "list-type=2" in request]
    assert "lacked 1440 of expected 2880 TweetHour instances" in said
    assert code == 20, said
    # 1,440 manifests are two pages. The one task that is then scheduled asks for itself.
    assert len(lists) <= 4, lists
    assert len(asked) <= 6, asked


def test_2880_hours_of_parquet_take_a_page_a_thousand_names(world_s3: World, long_lake: str, moto: Moto) -> None:
    world_s3.lake = long_lake
    bucket = world_s3.parquet.split("/")[2]
    client, hours = moto.client(), [FIRST - dt.timedelta(hours=number) for number in range(1, HOURS + 1, 2)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda hour: client.put_object(Bucket=bucket, Key=f"parquet/date={hour:%Y-%m-%d}/hour={hour:%H}/_SUCCESS"), hours))
    before = len(moto.requests(bucket))
    _, said = world_s3.luigi(*range_of("ParquetHour", "--task-limit", "1"))
    lists = [request for request in moto.requests(bucket)[before:] if "list-type=2" in request]
    assert "lacked 1440 of expected 2880 ParquetHour instances" in said
    assert len(lists) <= 3, lists
