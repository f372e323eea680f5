"""`spark.read.format("cauce")` against what `cauce` itself reads."""

import datetime as dt
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import cauce
import duckdb
import pyarrow as pa
import pytest
from lakes import HOUR, START, Builder, S3Server, hours_from, joined, tweets
from pyspark.errors import PySparkException
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark_cauce._plan import OPENING_BYTES

FIRST_ID = 2**53


def ids(frame: Any) -> list[int]:
    return sorted(row.tweet_id - FIRST_ID for row in frame.select("tweet_id").collect())


def read(spark: Any, place: object, schema: str = "tweet_id long", **options: object) -> Any:
    reader = spark.read.format("cauce").schema(schema)
    for name, value in options.items():
        reader = reader.option(name, value)
    return reader.load(str(place))


def plain(value: Any) -> Any:
    """Spark's rows as what pyarrow gives."""
    if isinstance(value, tuple) and hasattr(value, "asDict"):
        return {name: plain(member) for name, member in value.asDict().items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC)
    return bytes(value) if isinstance(value, bytearray) else value


def test_a_lake_is_read_whole_with_all_columns_and_no_register_call(spark: Any, folder: Path) -> None:
    frame = spark.read.format("cauce").load(str(folder))
    assert frame.schema == from_arrow_schema(pa.schema(cauce.schema()))
    lake = cauce.Lake(folder)
    wanted = pa.table(lake.batches(lake.hours(closed=True))).sort_by("tweet_id").to_pylist()
    assert [plain(row) for row in frame.orderBy("tweet_id").collect()] == wanted
    assert len(wanted) == 60


def test_without_options_the_lake_is_that_of_the_variables(spark: Any) -> None:
    assert spark.read.format("cauce").schema("tweet_id long").load().count() == 60


def test_a_lake_on_s3_gives_what_duckdb_counts_over_the_same_stream(spark: Any, s3: S3Server) -> None:
    builder = Builder()
    for number, hour in enumerate(hours_from(START, 4)):
        codec = "gzip" if number % 2 else "none"
        builder.hour(hour, *(joined(tweets(500, number * 2000 + part * 500)) for part in range(4)), codec=codec)
    url = builder.to_bucket(s3, "spark", "deep/er/")
    lake = cauce.Lake(url, endpoint_url=s3.url)
    stream = lake.batches(lake.hours())  # noqa: F841, duckdb finds it by its name
    query = "select author.username, count(*), sum(metrics.retweets), min(text) from {} group by 1"
    wanted = duckdb.execute(query.format("stream")).fetchall()
    columns = "text string, author struct<username: string>, metrics struct<retweets: long>"
    frame = read(spark, url, columns, endpointUrl=s3.url, region="us-east-1", splitBytes=100_000)
    assert frame.rdd.getNumPartitions() > 4
    frame.createOrReplaceTempView("on_s3")
    assert [tuple(row) for row in spark.sql(query.format("on_s3")).collect()] == wanted
    assert wanted[0][1] == 8000


def test_a_lake_is_a_view_of_sql(spark: Any, folder: Path) -> None:
    spark.sql(f"create temporary view lake using cauce options (path '{folder}', start '2026-11-22T06')")
    rows = spark.sql("select count(*), min(tweet_id), max(author.username) from lake").collect()
    assert [tuple(row) for row in rows] == [(40, FIRST_ID + 20, "ana")]


def test_a_schema_is_a_projection_in_its_own_order_down_to_members(spark: Any, folder: Path) -> None:
    schema = (
        "text string, author struct<name: string, username: string>, "
        "mentions array<struct<username: string, user_id: long>>, tweet_id long, received_at timestamp"
    )
    (row,) = read(spark, folder, schema).where("text like '%ñandú 7 %'").collect()
    assert row.asDict() == {
        "text": "ñandú 7 🐦",
        "author": ("Ana", "ana"),
        "mentions": row.mentions,
        "tweet_id": FIRST_ID + 7,
        "received_at": row.received_at,
    }
    assert row.received_at.astimezone(dt.UTC) == START + dt.timedelta(seconds=1)


def test_members_of_lists_come_in_the_order_of_the_schema(spark: Any, tmp_path: Path) -> None:
    line = json.loads(tweets(1)[0])
    found = [{"start": 0, "end": 2, "username": "ana", "id": "7"}, {"start": 3, "end": 5, "username": "luz", "id": "8"}]
    line["data"]["entities"] = {"mentions": found}
    builder = Builder()
    builder.hour(START, joined([*tweets(2, 1), json.dumps(line).encode(), *tweets(1, 5)]))
    frame = read(
        spark, builder.to_folder(tmp_path), "mentions array<struct<username: string, user_id: long, start: int>>"
    )
    rows = [row.mentions for row in frame.collect()]
    assert [row for row in rows if row] == [[("ana", 7, 0), ("luz", 8, 3)]]
    assert len(rows) == 4


def test_a_schema_takes_names_in_any_case_as_spark_does(spark: Any, folder: Path) -> None:
    schema = "TWEET_ID long, Author struct<UserName: string, name: string>, Received_At timestamp, RAW binary"
    frame = read(spark, folder, schema, pushdown="true")
    assert frame.schema.names == ["TWEET_ID", "Author", "Received_At", "RAW"]
    rows = frame.where("received_at >= '2026-11-22T06:00:00Z'").select("tweet_id", "author.USERNAME", "raw").collect()
    assert sorted(row.tweet_id - FIRST_ID for row in rows) == list(range(20, 60))
    assert {row.USERNAME for row in rows} == {"ana"}
    assert {bytes(row.raw) for row in rows} == set(tweets(40, 20))
    lists = "MENTIONS array<struct<User_Name: string>>"
    with pytest.raises(PySparkException, match="user_name"):
        read(spark, folder, lists).collect()


def test_members_of_lists_take_names_in_any_case(spark: Any, tmp_path: Path) -> None:
    line = json.loads(tweets(1)[0])
    line["data"]["entities"] = {"mentions": [{"start": 0, "end": 2, "username": "ana", "id": "7"}]}
    builder = Builder()
    builder.hour(START, joined([json.dumps(line).encode()]))
    frame = read(spark, builder.to_folder(tmp_path), "Mentions array<struct<START: int, UserName: string>>")
    (row,) = frame.collect()
    assert row.Mentions == [(0, "ana")]
    assert row.Mentions[0].asDict() == {"START": 0, "UserName": "ana"}


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Asia/Kolkata"])
def test_moments_are_the_same_in_whatever_zone_the_session_has(spark: Any, folder: Path, zone: str) -> None:
    lake = cauce.Lake(folder)
    wanted = pa.table(lake.batches(lake.hours(closed=True), ["tweet_id", "created_at", "received_at"]))
    micros = [
        tuple(row[name].timestamp() * 1e6 for name in ("created_at", "received_at"))
        for row in wanted.sort_by("tweet_id").to_pylist()
    ]
    before = spark.conf.get("spark.sql.session.timeZone")
    spark.conf.set("spark.sql.session.timeZone", zone)
    try:
        frame = read(spark, folder, "tweet_id long, created_at timestamp, received_at timestamp", pushdown="true")
        found = frame.orderBy("tweet_id").selectExpr("unix_micros(created_at)", "unix_micros(received_at)").collect()
        assert [tuple(row) for row in found] == micros
        # Texts without a zone, and hours of the day, are those of the session.
        local = START.astimezone(ZoneInfo(zone))
        assert frame.where(f"received_at < '{local:%Y-%m-%d} {local:%H:%M}:30'").count() == 20
        assert {row[0] for row in frame.selectExpr("hour(received_at)").limit(20).collect()} == {local.hour}
        assert ids(read(spark, folder, start="2026-11-22T06", end="2026-11-22T07")) == list(range(20, 40))
    finally:
        spark.conf.set("spark.sql.session.timeZone", before)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ("tweetid long", "tweet_id"),
        ("tweet_id long, TWEET_ID long", "twice|ALREADY_EXISTS"),
        ("tweet_id string", "column tweet_id is bigint and not string"),
        ("author struct<username: long>", "column author.username is string and not bigint"),
        ("author struct<nickname: string>", "nickname"),
        ("tweet_id long not null", "column tweet_id may be null"),
    ],
)
def test_a_schema_that_the_table_cannot_give_is_refused_by_its_column(
    spark: Any, folder: Path, schema: str, message: str
) -> None:
    with pytest.raises(PySparkException, match=message) as caught:
        read(spark, folder, schema).collect()
    assert_one_sentence(caught.value)


def assert_one_sentence(error: PySparkException) -> None:
    """What Spark shows is its own first words, and the sentence."""
    shown = str(error).strip()
    assert "Traceback" not in shown
    assert 'File "' not in shown
    assert len(shown.splitlines()) <= 2, shown


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("startt", "2026-11-22", "did you mean start"),
        ("start", "yesterday", "'yesterday' is no hour"),
        ("splitBytes", "many", "option splitBytes: 'many' must be a whole number"),
        ("closedOnly", "yes", "option closedOnly: 'yes' must be true or false"),
        ("onReject", "ignore", "must be skip or fail"),
        ("timeZone", "Mars/Olympus", "Mars/Olympus"),
        ("secretAccessKey", "hush", "is no option, because Spark shows options"),
        ("storage_clas", "GLACIER", "format cauce has no option storage_clas: did you mean storageClass?"),
        ("pathStyle", "yes", 'option("pathStyle", …): "yes" must be true or false'),
    ],
)
def test_an_option_that_cannot_be_used_is_refused_by_its_name(
    spark: Any, folder: Path, option: str, value: str, message: str
) -> None:
    with pytest.raises(PySparkException, match=re.escape(message)) as caught:
        spark.read.format("cauce").option(option, value).load(str(folder)).collect()
    assert "hush" not in str(caught.value)
    assert_one_sentence(caught.value)


def test_hours_are_chosen_by_start_and_end(spark: Any, folder: Path) -> None:
    assert ids(read(spark, folder, start="2026-11-22T06", end="2026-11-22T07")) == list(range(20, 40))
    assert ids(read(spark, folder, end="2026-11-22T05:00:00Z")) == []
    assert ids(read(spark, folder, start="2026-11-22", end="2026-11-23")) == list(range(60))


def test_open_hours_and_late_tweets_come_on_request(spark: Any, folder: Path) -> None:
    assert ids(read(spark, folder, closedOnly="false")) == list(range(65))
    assert ids(read(spark, folder, late="true")) == [*range(60), 100, 101, 102]
    assert ids(read(spark, folder, late="true", start="2026-11-22T06")) == list(range(20, 60))


def test_the_raw_line_comes_as_option_or_as_column(spark: Any, folder: Path) -> None:
    frame = spark.read.format("cauce").option("raw", "true").load(str(folder))
    assert frame.schema.names[-1] == "raw"
    both = (
        frame.where(f"tweet_id = {FIRST_ID}")
        .select("raw")
        .union(read(spark, folder, "raw binary, tweet_id long").orderBy("tweet_id").limit(1).select("raw"))
    )
    assert [bytes(row.raw) for row in both.collect()] == [tweets(1)[0]] * 2


def test_objects_are_shared_out_to_as_many_tasks_as_their_bytes_want(spark: Any, folder: Path) -> None:
    for split, tasks in ((1, 6), (10**9, 1)):
        frame = read(spark, folder, splitBytes=split, batchRows=5)
        assert frame.rdd.getNumPartitions() == tasks
        assert ids(frame) == list(range(60))


def test_tasks_grow_with_the_lake_where_nobody_says_how_large_they_are(spark: Any, tmp_path: Path) -> None:
    for mebibytes, tasks in ((20, 1), (320, 10), (800, 16), (1600, 16), (2560, 20)):
        builder = Builder()
        body = joined(tweets(1))
        for hour in hours_from(START, 16):
            entries = builder.open_hour(hour, *[body] * 10)
            # Planning believes the manifests, so that no gigabytes are needed.
            whole = (mebibytes << 20) // 160
            builder.close(hour, [{**entry, "bytes": whole - OPENING_BYTES} for entry in entries])
        lake = builder.to_folder(tmp_path / str(mebibytes))
        assert read(spark, lake).rdd.getNumPartitions() == tasks


def test_lines_that_give_no_row_are_passed_by_unless_that_is_to_fail(spark: Any, tmp_path: Path) -> None:
    builder = Builder()
    builder.hour(START, joined([*tweets(3), b"nonsense", *tweets(2, 3)]))
    lake = builder.to_folder(tmp_path)
    assert ids(read(spark, lake)) == list(range(5))
    with pytest.raises(PySparkException, match=r"line 4 of 11-22-05/tweets\.\d+\.json gives no row"):
        read(spark, lake, onReject="fail").collect()


def test_an_hour_whose_manifest_is_damaged_is_not_left_out_unseen(spark: Any, folder: Path) -> None:
    (folder / f"_hours/{HOUR}.json").write_text("{")
    with pytest.raises(PySparkException, match=r"_hours/2026-11-22T05\.json"):
        read(spark, folder).collect()
    assert ids(read(spark, folder, start="2026-11-22T06")) == list(range(20, 60))


def test_a_lake_that_is_not_there_is_named(spark: Any, tmp_path: Path) -> None:
    with pytest.raises(PySparkException, match="there is no folder") as caught:
        read(spark, tmp_path / "nowhere").collect()
    assert_one_sentence(caught.value)


def test_an_object_that_is_gone_fails_the_query_and_is_named(spark: Any, folder: Path) -> None:
    gone = Path(cauce.Lake(folder).hour(HOUR).objects[1].url)
    gone.unlink()
    with pytest.raises(PySparkException, match=gone.name):
        read(spark, folder).collect()


def test_a_filter_of_received_at_passes_by_whole_objects_and_no_row(spark: Any, tmp_path: Path) -> None:
    builder = Builder()
    for number, hour in enumerate(hours_from(START, 3)):
        entries = builder.open_hour(hour, *(joined(tweets(10, number * 20 + part * 10)) for part in range(2)))
        for minute, entry in enumerate(entries):
            begin = int(hour.timestamp()) + minute * 1800
            entry["arrivals"] = [[begin, 4], [begin + 60, 10]]
        builder.close(hour, entries)
    lake = builder.to_folder(tmp_path)
    columns = "tweet_id long, received_at timestamp"

    def asked(condition: str) -> list[int]:
        found = ids(read(spark, lake, columns, pushdown="true").where(condition))
        assert found == ids(read(spark, lake, columns).where(condition))
        return found

    assert asked("received_at >= '2026-11-22T06:31:00Z'") == [*range(34, 40), *range(40, 60)]
    assert asked("received_at > '2026-11-22T06:31:00Z'") == [*range(40, 60)]
    assert asked("received_at = '2026-11-22T05:00:00Z'") == [0, 1, 2, 3]
    assert asked("received_at < '2026-11-22T05:00:00Z'") == []
    assert asked("received_at is null") == []
    # What was passed by is not read: an object that is gone is not missed.
    Path(cauce.Lake(lake).hour(HOUR).objects[0].url).unlink()
    later = read(spark, lake, columns, pushdown="true").where("received_at >= '2026-11-22T05:30:00Z'")
    assert ids(later) == list(range(10, 60))


def test_several_lakes_are_read_as_one(spark: Any, tmp_path: Path) -> None:
    for number, name in enumerate(("one", "other")):
        builder = Builder()
        builder.hour(START, joined(tweets(5, number * 5)), joined(tweets(5, 50 + number * 5)))
        builder.to_folder(tmp_path / name)
    both = [str(tmp_path / name) for name in ("one", "other")]
    wanted = [*range(10), *range(50, 60)]
    assert ids(read(spark, ",".join(both), splitBytes=1)) == wanted
    assert ids(spark.read.format("cauce").schema("tweet_id long").load(both)) == wanted


def test_the_module_that_spark_imports_loads_nothing_but_pyspark() -> None:
    code = (
        "import sys, pyspark_cauce as found; print(found.DefaultSource.name(), {'cauce', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "cauce set()\n"


def test_a_changed_object_fails_the_job_by_its_name(spark: Any, tmp_path: Path) -> None:
    builder = Builder()
    _, changed = builder.hour(START, joined(tweets(12)), joined(tweets(8, 12)))
    builder.change(changed["key"])
    with pytest.raises(PySparkException, match="CRC-64/NVME") as caught:
        read(spark, builder.to_folder(tmp_path / "lake")).collect()
    for words in ("CorruptObject", changed["key"], f"ingest verify {HOUR}"):
        assert words in str(caught.value)
