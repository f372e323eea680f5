"""Hours as targets: there when closed, and only then."""

import datetime as dt
import functools
import json
import pathlib
import shutil
from collections.abc import Iterator
from typing import Any

import cauce
import luigi
import luigi.configuration
import pytest
from servers import Moto
from tweets import FIRST, HOURS, Tweet
from world import World

from luigi_tasks import HourTarget, ParquetDay, ParquetHour, ParquetHourTarget, TweetHour
from luigi_tasks.hours import naive_utc
from luigi_tasks.parquet import tracking_url
from luigi_tasks.places import Place


@pytest.fixture
def configured(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """This process reads the world's luigi.cfg."""
    monkeypatch.setattr(luigi.configuration.LuigiConfigParser, "_config_paths", [str(world.configure(None))])
    monkeypatch.setattr(luigi.configuration.LuigiConfigParser, "_instance", None)
    yield world
    luigi.task.Task.clear_instance_cache()


@pytest.mark.usefixtures("configured")
def test_an_hour_is_there_when_its_manifest_is_and_the_year_counts() -> None:
    assert HourTarget(FIRST).exists()
    assert not HourTarget(FIRST.replace(year=2025)).exists()
    assert not HourTarget(FIRST.replace(hour=4)).exists()


def test_an_hour_that_is_being_written_is_not_there(configured: World, lake_folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    lake = tmp_path / "open"
    shutil.copytree(lake_folder, lake)
    (lake / "_hours" / f"{FIRST:%Y-%m-%dT%H}.json").unlink()
    configured.lake = str(lake)
    configured.configure(None)
    luigi.configuration.LuigiConfigParser._instance = None
    assert any((lake / f"{FIRST:%m-%d-%H}").iterdir())
    assert not HourTarget(FIRST).exists()
    assert not TweetHour(hour=FIRST).complete()
    assert TweetHour.bulk_complete(HOURS) == HOURS[1:]


@pytest.mark.usefixtures("configured")
def test_an_hour_is_read_as_text_or_bytes_and_only_a_line_feed_ends_a_line(tweets: list[Tweet]) -> None:
    wanted = sorted(tweet.id for tweet in tweets if naive_utc(tweet.created_at) == FIRST)
    with HourTarget(FIRST).open("r") as text:
        assert sorted(int(json.loads(line)["data"]["id"]) for line in text) == wanted
    with HourTarget(FIRST).open("rb") as lines:
        assert sum(1 for _ in lines) == len(wanted)
    with pytest.raises(ValueError, match="mode 'w'"):
        HourTarget(FIRST).open("w")


@pytest.mark.usefixtures("configured")
def test_the_hour_of_a_target_is_the_modules_own(tweets: list[Tweet]) -> None:
    hour = HourTarget(FIRST).hour()
    assert hour.closed
    assert hour.tweets == sum(naive_utc(tweet.created_at) == FIRST for tweet in tweets)


@pytest.mark.usefixtures("configured")
def test_a_target_says_which_hour_of_which_lake_it_is(world: World) -> None:
    assert str(HourTarget(FIRST)) == f"hour 2026-11-22T05 of {world.lake}"
    assert str(ParquetHourTarget(FIRST)) == f"{world.parquet}/date=2026-11-22/hour=05/tweets.parquet"


def test_a_time_with_a_zone_is_brought_to_utc() -> None:
    paris = dt.timezone(dt.timedelta(hours=2))
    assert naive_utc(dt.datetime(2026, 11, 22, 7, 30, tzinfo=paris)) == FIRST
    assert TweetHour(hour=dt.datetime(2026, 11, 22, 7, tzinfo=paris)) is TweetHour(hour=FIRST)


@pytest.mark.usefixtures("configured")
def test_bulk_complete_takes_what_range_tasks_hand_over() -> None:
    before = FIRST.replace(hour=4)
    # RangeHourly calls it through a partial of the task's class, RangeDaily with an iterator that can be read once.
    through_partial: Any = functools.partial(TweetHour)
    assert through_partial.func.bulk_complete(iter([before, *HOURS])) == HOURS
    assert TweetHour.bulk_complete([(before,), (FIRST,)]) == [(FIRST,)]
    assert TweetHour.bulk_complete([]) == []
    assert ParquetHour.bulk_complete(map(naive_utc, HOURS)) == []


@pytest.mark.usefixtures("configured")
def test_a_day_of_parquet_is_complete_with_its_24_hours(world: World) -> None:
    day = FIRST.date()
    for number in range(24):
        folder = pathlib.Path(world.parquet, f"date={day}", f"hour={number:02}")
        folder.mkdir(parents=True)
        assert ParquetDay.bulk_complete([day]) == []
        (folder / "_SUCCESS").touch()
    assert ParquetDay.bulk_complete(iter([day, day + dt.timedelta(days=1)])) == [day]


@pytest.mark.usefixtures("configured")
def test_a_parquet_file_without_its_marker_does_not_count(world: World) -> None:
    folder = pathlib.Path(world.parquet, "date=2026-11-22", "hour=05")
    folder.mkdir(parents=True)
    (folder / "tweets.parquet").touch()
    assert not ParquetHourTarget(FIRST).exists()
    assert ParquetHour.bulk_complete(HOURS) == []


def test_an_hours_page_is_where_its_parquet_is_or_what_the_settings_say() -> None:
    own = Place("s3://bucket/a b", cauce.LakeOptions(endpoint_url="http://127.0.0.1:8333"))
    folder = "date%3D2026-11-22/hour%3D05/"
    assert tracking_url(FIRST, own, None) == f"http://127.0.0.1:8333/bucket?list-type=2&prefix=a%20b/{folder}"
    assert (
        tracking_url(FIRST, Place("s3://bucket/p", cauce.LakeOptions()), None)
        == f"https://console.aws.amazon.com/s3/buckets/bucket?prefix=p/{folder}"
    )
    assert tracking_url(FIRST, Place("/p", cauce.LakeOptions()), None) == "file:///p/date%3D2026-11-22/hour%3D05"
    assert tracking_url(FIRST, own, "http://g/{date}?h={HH}&t={hour}") == "http://g/2026-11-22?h=05&t=2026-11-22T05"


def test_a_place_on_s3_is_asked_with_one_request(moto: Moto) -> None:
    bucket = moto.make_bucket("place")
    place = Place(
        f"s3://{bucket}/p", cauce.LakeOptions(endpoint_url=moto.url, region="us-east-1", access_key_id="test", secret_access_key="test")
    )
    place.write("x/_SUCCESS", b"")

    def heads() -> int:
        return len([request for request in moto.requests(bucket) if request.startswith("HEAD")])

    before = heads()
    assert not place.exists("y/_SUCCESS")
    assert place.exists("x/_SUCCESS")
    assert heads() == before + 2
    assert place.names(["x", "y"]) == {"x/_SUCCESS"}
