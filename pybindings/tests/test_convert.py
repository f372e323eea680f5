"""Hours to Parquet, in process."""

import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cauce
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest
from lakes import HOUR, START, Builder, S3Server, hours_from, joined, tweets


def ids(target: Path) -> list[int]:
    table = pads.dataset(target, format="parquet", partitioning="hive").to_table(columns=["tweet_id"])
    return sorted(table["tweet_id"].to_pylist())


def files(target: Path) -> list[str]:
    return sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file())


def test_closed_hours_become_parquet_once(lake: cauce.Lake, tmp_path: Path) -> None:
    target = tmp_path / "parquet"
    summary = cauce.convert(lake, None, target)
    assert (summary.made, summary.rows, summary.rejects, summary.failed) == (3, 60, 0, {})
    assert [hour.name for hour in summary.hours] == [hour.name for hour in lake.hours(closed=True)]
    assert summary.bytes_in == sum(hour.bytes for hour in lake.hours(closed=True))
    assert summary.bytes_out == sum(path.stat().st_size for path in target.rglob("*.parquet"))
    assert ids(target) == [2**53 + number for number in range(60)]
    assert f"date=2026-11-22/hour=05/{'_SUCCESS'}" in files(target)
    again = cauce.convert(lake, lake.hours(closed=True), target)
    assert (again.made, [hour.made for hour in again.hours]) == (0, [False] * 3)


@pytest.mark.parametrize("asked", [HOUR, START, [HOUR], "hour", iter([START])])
def test_hours_are_named_in_any_way(lake: cauce.Lake, tmp_path: Path, asked: object) -> None:
    wanted = lake.hour(HOUR) if asked == "hour" else asked
    summary = cauce.convert(lake, wanted, str(tmp_path / "parquet"), columns=["tweet_id", "author.username"])  # type: ignore[arg-type]
    assert [hour.name for hour in summary.hours] == [HOUR]
    assert pq.read_table(tmp_path / "parquet/date=2026-11-22/hour=05/tweets.parquet").num_rows == 20


def test_no_hours_are_none_and_not_all(lake: cauce.Lake, tmp_path: Path) -> None:
    assert cauce.convert(lake, [], tmp_path / "parquet").hours == []
    assert not (tmp_path / "parquet").exists()


def test_progress_is_told_in_the_thread_that_called(lake: cauce.Lake, tmp_path: Path) -> None:
    told: list[tuple[int, cauce.Progress]] = []
    cauce.convert(lake, None, tmp_path / "parquet", progress=lambda one: told.append((threading.get_ident(), one)))
    assert {thread for thread, _ in told} == {threading.get_ident()}
    last = told[-1][1]
    assert (last.hours_done, last.hours, last.rows) == (3, 3, 60)
    assert last.bytes_in == last.bytes_in_total
    assert sum(one.last is not None for _, one in told) == 3


def test_what_a_callback_raises_ends_the_conversion(lake: cauce.Lake, tmp_path: Path) -> None:
    class Enough(Exception):
        pass

    def enough(progress: cauce.Progress) -> None:
        if progress.last is not None:
            raise Enough(progress.last.name)

    with pytest.raises(Enough):
        cauce.convert(lake, None, tmp_path / "parquet", jobs=1, progress=enough)
    made = [name for name in files(tmp_path / "parquet") if name.endswith("tweets.parquet")]
    assert len(made) < 3
    assert cauce.convert(lake, None, tmp_path / "parquet").rows == 60 - 20 * len(made)


def test_an_hour_that_fails_does_not_keep_the_others_back(lake: cauce.Lake, tmp_path: Path) -> None:
    gone = lake.hour(HOUR).objects[1]
    Path(gone.url).unlink()
    with pytest.raises(cauce.ConvertFailed, match=HOUR) as caught:
        cauce.convert(lake, None, tmp_path / "parquet")
    error = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(caught.value.__cause__, cauce.ObjectNotFound)
    assert caught.value.__cause__.key == gone.key
    assert error.summary.made == 2
    assert list(error.summary.failed) == [HOUR]
    assert ids(tmp_path / "parquet") == [2**53 + number for number in range(20, 60)]


def test_an_open_hour_is_converted_only_on_request(lake: cauce.Lake, tmp_path: Path) -> None:
    with pytest.raises(cauce.ConvertFailed) as caught:
        cauce.convert(lake, "2026-11-22T08", tmp_path / "parquet")
    assert isinstance(caught.value.__cause__, cauce.HourNotClosed)
    assert cauce.convert(lake, "2026-11-22T08", tmp_path / "parquet", open=True).rows == 5


def test_parquet_of_other_options_is_not_replaced_unasked(lake: cauce.Lake, tmp_path: Path) -> None:
    cauce.convert(lake, HOUR, tmp_path / "parquet")
    with pytest.raises(cauce.ConvertFailed) as caught:
        cauce.convert(lake, HOUR, tmp_path / "parquet", raw=True)
    assert isinstance(caught.value.__cause__, FileExistsError)
    assert cauce.convert(lake, HOUR, tmp_path / "parquet", raw=True, replace=True).made == 1


def test_a_target_inside_the_lake_is_refused(lake: cauce.Lake, folder: Path) -> None:
    with pytest.raises(cauce.ConfigError, match="share a root"):
        cauce.convert(lake, None, folder / "parquet")


@pytest.mark.parametrize(
    "wrong",
    [{"columns": ["nonsense"]}, {"compression": "lzo"}, {"jobs": 0}, {"threads": 0}, {"row_group_rows": 0}],
)
def test_options_of_a_wrong_form_are_refused(lake: cauce.Lake, tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"nonsense|compression|at least 1"):
        cauce.convert(lake, None, tmp_path / "parquet", **wrong)  # type: ignore[arg-type]


def test_a_bucket_is_converted_into_a_bucket(s3: S3Server) -> None:
    builder = Builder()
    for number, hour in enumerate(hours_from(START, 2)):
        builder.hour(hour, joined(tweets(20, number * 20)))
    lake = cauce.Lake(builder.to_bucket(s3, "convert", "lake/"), endpoint_url=s3.url)
    assert cauce.convert(lake, None, "s3://convert/parquet").rows == 40
    names = {one["Key"] for one in s3.client().list_objects_v2(Bucket="convert", Prefix="parquet/")["Contents"]}
    assert names == {
        f"parquet/date=2026-11-22/hour={hour}/{name}"
        for hour in ("05", "06")
        for name in ("tweets.parquet", "_SUCCESS")
    }


PROGRAM = """
import sys, time, cauce
def tell(progress):
    print("telling", flush=True)
try:
    cauce.convert(cauce.Lake(sys.argv[1]), None, sys.argv[2], jobs=1, progress=tell)
except KeyboardInterrupt:
    print(time.monotonic(), flush=True)
"""


def test_ctrl_c_ends_a_conversion_and_leaves_nothing_half_made(tmp_path: Path) -> None:
    builder = Builder()
    body = joined(tweets(2000))
    for hour in hours_from(START, 24):
        builder.hour(hour, body * 2)
    lake, target = builder.to_folder(tmp_path / "lake"), tmp_path / "parquet"
    arguments = [sys.executable, "-c", PROGRAM, str(lake), str(target)]
    program = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    try:
        assert program.stdout is not None
        assert program.stdout.readline() == "telling\n"
        sent = time.monotonic()
        program.send_signal(signal.SIGINT)
        answered = [line for line in program.stdout if line != "telling\n"]
        assert answered, "it ended without KeyboardInterrupt"
        assert float(answered[0]) - sent < 1
    finally:
        program.kill()
        program.communicate()
    done = [name for name in files(target) if name.endswith("_SUCCESS")]
    assert len(done) < 24
    for name in files(target):
        if name.endswith(".parquet"):
            assert pq.read_table(target / name, columns=["tweet_id"]).num_rows > 0
    summary = cauce.convert(cauce.Lake(lake), None, target)
    assert summary.made >= 24 - len(done)
