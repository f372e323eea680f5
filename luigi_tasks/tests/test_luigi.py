"""Luigi as its users start it, with a central scheduler: ranges, workers, what goes wrong, and what can be seen."""

import datetime as dt
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator

import psutil
import pyarrow.parquet as pq
import pytest
from gate import Gate
from servers import PATIENCE, Luigid, Moto, until
from tweets import FIRST, HOURS, Tweet
from world import World, text

STOP = HOURS[-1] + dt.timedelta(hours=1)
NOW = str(int(STOP.replace(tzinfo=dt.UTC).timestamp()))
RANGE = ["RangeHourly", "--of", "ParquetHour", "--start", text(FIRST), "--stop", text(STOP), "--now", NOW]


def ids(world: World) -> list[int]:
    """The tweets in the Parquet of a world in a folder."""
    files = sorted(pathlib.Path(world.parquet).glob("date=*/hour=*/tweets.parquet"))
    return sorted(value for file in files for value in pq.read_table(file, columns=["tweet_id"])["tweet_id"].to_pylist())


@pytest.fixture
def gate(moto: Moto) -> Iterator[Gate]:
    """Holds the PUT of a Parquet file while it is shut."""
    with Gate(moto, r"^PUT .*tweets\.parquet") as gate:
        yield gate


@pytest.fixture
def gated(world_s3: World, gate: Gate) -> World:
    """A world on S3 whose requests pass the gate."""
    world_s3.endpoint = gate.url
    return world_s3


def success(world: World, hour: dt.datetime = FIRST) -> bool:
    assert world.moto is not None
    bucket = world.parquet.split("/")[2]
    keys = [found["Key"] for found in world.moto.client().list_objects_v2(Bucket=bucket).get("Contents", [])]
    return f"parquet/date={hour:%Y-%m-%d}/hour={hour:%H}/_SUCCESS" in keys


@pytest.mark.parametrize("where", ["world", "world_s3"])
def test_a_range_is_converted_by_four_workers_that_schedule_in_parallel(
    where: str, luigid: Luigid, tweets: list[Tweet], request: pytest.FixtureRequest
) -> None:
    world: World = request.getfixturevalue(where)
    code, said = world.luigi(*RANGE, "--workers", "4", "--parallel-scheduling", luigid=luigid)
    assert code == 0, said
    assert "3 ran successfully" in said or "4 ran successfully" in said, said
    if where == "world":
        assert ids(world) == sorted(tweet.id for tweet in tweets)
    else:
        assert all(success(world, hour) for hour in HOURS)


def test_a_rerun_of_what_is_done_does_nothing(world: World) -> None:
    assert world.luigi(*RANGE)[0] == 0
    before = {path: path.stat().st_mtime_ns for path in pathlib.Path(world.parquet).rglob("*")}
    code, said = world.luigi(*RANGE)
    assert code == 0, said
    assert "ran successfully" not in said.replace("1 ran successfully:\n    - 1 RangeHourly", "")
    assert {path: path.stat().st_mtime_ns for path in pathlib.Path(world.parquet).rglob("*")} == before


def test_a_day_is_asked_for_by_range_daily_and_waits_for_all_its_hours(world: World) -> None:
    day, after = (f"{FIRST + dt.timedelta(days=number):%Y-%m-%d}" for number in (0, 1))
    code, said = world.luigi("RangeDaily", "--of", "ParquetDay", "--start", day, "--stop", after, "--now", NOW)
    assert code == 20, said
    assert len(list(pathlib.Path(world.parquet).rglob("_SUCCESS"))) == 3


def test_an_hour_that_never_comes_ends_with_20_and_is_named(world: World) -> None:
    missing = FIRST - dt.timedelta(hours=1)
    code, said = world.luigi("ParquetHour", "--hour", text(missing))
    assert code == 20
    assert f"hour {text(missing)} is not closed in {world.lake}" in said
    assert f"TweetHour(hour={text(missing)})" in said


def test_a_lake_that_is_not_set_ends_with_35_and_says_what_to_set(world: World) -> None:
    world.lake = ""
    code, said = world.luigi("ParquetHour", "--hour", text(FIRST))
    assert code == 35
    assert "[cauce] lake is not set" in said


def test_a_place_that_takes_nothing_is_a_failed_task(world: World) -> None:
    pathlib.Path(world.parquet).touch()
    code, said = world.luigi("ParquetHour", "--hour", text(FIRST))
    assert code in (30, 35), said


def test_an_hour_with_a_changed_object_is_a_failed_task_that_names_it(world: World) -> None:
    copied = world.folder / "lake"
    shutil.copytree(world.lake, copied)
    manifest = json.loads((copied / f"_hours/{text(FIRST)}.json").read_text())
    changed = copied / manifest["objects"][0]["key"]
    content = bytearray(changed.read_bytes())
    content[len(content) // 2] ^= 1
    changed.write_bytes(content)
    world.lake = str(copied)
    code, said = world.luigi("ParquetHour", "--hour", text(FIRST))
    assert code == 30, said
    for words in ("CorruptObject", manifest["objects"][0]["key"], "CRC-64/NVME", f"ingest verify {text(FIRST)}"):
        assert words in said
    assert not list(pathlib.Path(world.parquet).rglob("_SUCCESS"))


def test_an_archived_hour_is_a_failed_task_that_says_so_and_the_others_are_converted(world_s3: World, moto: Moto) -> None:
    client, bucket = moto.client(), moto.make_bucket(f"archived-{os.urandom(4).hex()}")
    keys = [found["Key"] for found in client.list_objects_v2(Bucket="tweets", Prefix="lake/")["Contents"]]
    archived = f"lake/{FIRST:%m-%d-%H}/"
    for key in keys:
        stored = "GLACIER" if key.startswith(archived) else "STANDARD"
        client.copy_object(Bucket=bucket, Key=key, CopySource={"Bucket": "tweets", "Key": key}, StorageClass=stored)
    world_s3.lake = f"s3://{bucket}/lake"
    code, said = world_s3.luigi(*RANGE)
    assert code == 30, said
    for words in (
        "ObjectArchived",
        "archived in storage class GLACIER: restore it, or leave this hour out",
        f"ParquetHour(hour={text(FIRST)})",
    ):
        assert words in said, said
    assert [success(world_s3, hour) for hour in HOURS] == [False, True, True]


def test_an_sso_profile_without_a_token_is_said_in_the_words_of_ingest(world_s3: World, moto: Moto, tmp_path: pathlib.Path) -> None:
    config = tmp_path / "config"
    session = "[sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://corp.awsapps.com/start\n"
    config.write_text(f"[profile etl]\nsso_session = corp\nsso_account_id = 1\nsso_role_name = reader\n{session}")
    variables = {"HOME": str(tmp_path), "AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "etl", "AWS_EC2_METADATA_DISABLED": "true"}
    world_s3.variables = {"AWS_ENDPOINT_URL_S3": moto.url, "AWS_REGION": "us-east-1", **variables}
    code, said = world_s3.luigi("ParquetHour", "--hour", text(FIRST))
    assert code in (30, 35), said
    assert f'profile "etl" of {config} (SSO): there is no usable SSO token' in said
    assert "run aws sso login --profile etl" in said


def test_forks_pools_and_threads_of_a_luigi_run_all_read(world: World) -> None:
    asked = ["RangeHourlyBase", "--of", "ReadWhileForking", "--start", text(FIRST), "--stop", text(STOP), "--now", NOW]
    code, said = world.luigi(*asked, "--workers", "4", "--parallel-scheduling", module="held")
    assert [hour for hour in HOURS if f"read {hour:%H} in a task" not in said] == [], said
    assert code == 0, said


def test_what_a_task_does_is_seen_in_the_scheduler(gated: World, gate: Gate, luigid: Luigid) -> None:
    gate.shut()
    process = gated.start("ParquetHour", "--hour", text(FIRST), luigid=luigid)
    try:
        assert gate.waiting.wait(PATIENCE)

        def seen() -> object:
            running = [task for task in luigid.tasks("RUNNING").values() if task["name"] == "ParquetHour"]
            task = running[0] if running else None
            return task if task and task["tracking_url"] and task["status_message"] and task["progress_percentage"] is not None else None

        task = until("the task is seen", seen)
        assert isinstance(task, dict)
        assert "a second" in task["status_message"]
        assert "date%3D2026-11-22/hour%3D05" in task["tracking_url"]
        assert 0 < task["progress_percentage"] < 100
        gate.open()
        assert process.wait(PATIENCE) == 0, gated.said()
    finally:
        process.kill()
    (task,) = [task for task in luigid.tasks("DONE").values() if task["name"] == "ParquetHour"]
    assert task["status_message"].startswith("400 tweets in ")


def test_tweets_and_bytes_of_each_kind_of_task_are_shown_to_prometheus(world: World, luigid: Luigid) -> None:
    assert world.luigi(*RANGE, "--workers", "2", luigid=luigid)[0] == 0
    metrics = luigid.get("/metrics")
    values = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if not line.startswith("#"))
    assert float(values['cauce_task_tweets_total{family="ParquetHour"}']) == 1200
    files = pathlib.Path(world.parquet).rglob("tweets.parquet")
    assert float(values['cauce_task_bytes_total{family="ParquetHour"}']) == sum(file.stat().st_size for file in files)
    assert float(values['luigi_task_done_total{family="ParquetHour"}']) == 3


def test_the_history_is_kept_in_the_database_and_shown(world: World, luigid: Luigid) -> None:
    assert world.luigi("ParquetHour", "--hour", text(FIRST), luigid=luigid)[0] == 0
    with sqlite3.connect(luigid.folder / "history.db") as database:
        events = database.execute("select name, event_name from tasks join task_events on tasks.id = task_events.task_id").fetchall()
    assert ("ParquetHour", "DONE") in events
    assert "ParquetHour" in luigid.get("/history")


def test_a_task_that_is_killed_half_way_leaves_nothing_that_counts(gated: World, gate: Gate, luigid: Luigid) -> None:
    gate.shut()
    process = gated.start("ParquetHour", "--hour", text(FIRST), "--workers", "2", luigid=luigid)
    assert gate.waiting.wait(PATIENCE)
    for child in psutil.Process(process.pid).children(recursive=True):
        child.kill()
    os.kill(process.pid, signal.SIGKILL)
    process.wait(PATIENCE)
    assert not success(gated)
    gate.open()
    code, said = gated.luigi("ParquetHour", "--hour", text(FIRST))
    assert code == 0, said
    assert success(gated)


def test_a_task_that_takes_too_long_is_ended_and_a_rerun_succeeds(gated: World, gate: Gate) -> None:
    gate.shut()
    code, said = gated.luigi("Timed", "--hour", text(FIRST), module="held")
    assert code == 30, said
    assert "timed out after 2 seconds" in said
    assert not success(gated)
    gate.open()
    assert gated.luigi("ParquetHour", "--hour", text(FIRST))[0] == 0


def test_a_scheduler_that_dies_does_not_hold_up_a_conversion(gated: World, gate: Gate, luigid: Luigid) -> None:
    gate.shut()
    process = gated.start("ParquetHour", "--hour", text(FIRST), luigid=luigid)
    try:
        assert gate.waiting.wait(PATIENCE)
        luigid.stop()
        opened = time.monotonic()
        gate.open()
        until("the task has run", lambda: re.search(r"done +ParquetHour", gated.said()), 25)
        # Luigi repeats each word three times, half a minute apart.
        assert time.monotonic() - opened < 25
        assert success(gated)
    finally:
        process.kill()
        process.wait()


def test_no_key_is_in_what_luigi_says(world_s3: World, luigid: Luigid) -> None:
    keys = "[s3]\naws_access_key_id = PLANTED1\naws_secret_access_key = PLANTED2"
    code, said = world_s3.luigi("ParquetHour", "--hour", text(FIRST), luigid=luigid, more=keys)
    assert code == 0, said
    assert "PLANTED" not in said + json.dumps(luigid.tasks()) + luigid.log.read_text()
