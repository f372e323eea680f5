"""Which hours there are, and what an hour tells of itself."""

import datetime as dt
from pathlib import Path

import cauce
import pytest
from lakes import HOUR, START, Builder, hours_from, joined, tweets


def test_hours_are_listed_oldest_first_with_what_they_hold(lake: cauce.Lake) -> None:
    hours = lake.hours()
    assert [hour.name for hour in hours] == [f"2026-11-22T0{hour}" for hour in (5, 6, 7, 8)]
    assert [hour.closed for hour in hours] == [True, True, True, False]
    first, last = hours[0], hours[-1]
    assert (first.tweets, len(first.objects), first.granularity) == (20, 2, "hour")
    assert first.bytes == sum(one.bytes for one in first.objects)
    assert first.start == START
    assert first.end == START + dt.timedelta(hours=1)
    assert (last.tweets, last.manifest, last.late, last.gaps) == (None, None, 0, [])


def test_an_object_tells_where_it_is(folder: Path, hour: cauce.Hour) -> None:
    one = hour.objects[0]
    assert (one.codec, one.lines) == ("none", 12)
    assert Path(one.url) == folder / one.key
    assert Path(one.url).stat().st_size == one.bytes


@pytest.mark.parametrize(
    ("start", "end", "names"),
    [
        ("2026-11-22T06", None, ["06", "07", "08"]),
        (None, "2026-11-22T06", ["05"]),
        (dt.datetime(2026, 11, 22, 6), dt.datetime(2026, 11, 22, 8), ["06", "07"]),
        (dt.datetime(2026, 11, 22, 6, 30), dt.datetime(2026, 11, 22, 7, 30), ["06", "07"]),
        (dt.datetime(2026, 11, 22, 15, tzinfo=dt.timezone(dt.timedelta(hours=9))), None, ["06", "07", "08"]),
        (dt.date(2026, 11, 22), dt.date(2026, 11, 23), ["05", "06", "07", "08"]),
        ("2026-11-22", "2026-11-22", []),
        ("2026-11-23", None, []),
    ],
)
def test_a_range_takes_the_hours_that_overlap_it(
    lake: cauce.Lake, start: object, end: object, names: list[str]
) -> None:
    assert [hour.name[-2:] for hour in lake.hours(start, end)] == names  # type: ignore[arg-type]


def test_hours_can_be_only_the_closed_or_only_the_open_ones(lake: cauce.Lake) -> None:
    assert len(lake.hours(closed=True)) == 3
    assert [hour.name for hour in lake.hours(closed=False)] == ["2026-11-22T08"]


def test_a_range_that_ends_before_it_begins_is_refused(lake: cauce.Lake) -> None:
    with pytest.raises(ValueError, match="before it begins"):
        lake.hours("2026-11-22T06", "2026-11-22T05")


@pytest.mark.parametrize(
    "when",
    [
        HOUR,
        dt.datetime(2026, 11, 22, 5),
        dt.datetime(2026, 11, 22, 5, 59, 59, 999999),
        dt.datetime(2026, 11, 22, 14, tzinfo=dt.timezone(dt.timedelta(hours=9))),
    ],
)
def test_an_hour_is_found_by_any_instant_in_it(lake: cauce.Lake, when: str | dt.datetime) -> None:
    assert lake.hour(when).name == HOUR
    assert lake.hour(lake.hour(when)) == lake.hour(when)


@pytest.mark.parametrize("wrong", ["2026-11-22", "2026-11-22T5", "yesterday", ""])
def test_a_text_that_is_no_hour_is_refused(lake: cauce.Lake, wrong: str) -> None:
    with pytest.raises(ValueError, match="is not an hour"):
        lake.hour(wrong)


@pytest.mark.parametrize("wrong", [5, None, dt.date(2026, 11, 22)])
def test_what_is_no_moment_is_refused(lake: cauce.Lake, wrong: object) -> None:
    with pytest.raises(TypeError, match="an hour is a datetime"):
        lake.hour(wrong)  # type: ignore[arg-type]


def test_a_missing_hour_is_not_found_by_either_habit(lake: cauce.Lake) -> None:
    with pytest.raises(cauce.HourNotFound, match="2027-01-01T00"):
        lake.hour("2027-01-01T00")
    with pytest.raises(FileNotFoundError):
        lake.hour("2027-01-01T00")


def test_closed_gives_the_very_objects_back_from_any_iterable(lake: cauce.Lake) -> None:
    naive = [dt.datetime(2026, 11, 22, hour) for hour in range(3, 10)]
    assert lake.closed(iter(naive)) == {dt.datetime(2026, 11, 22, hour) for hour in (5, 6, 7)}
    aware = hours_from(START, 4)
    assert lake.closed(map(lambda hour: hour, aware)) == set(aware[:3])
    assert lake.closed([HOUR, "2026-11-22T08"]) == {HOUR}
    assert lake.closed(lake.hours()) == set(lake.hours(closed=True))
    assert lake.closed([]) == set()


def test_a_manifest_is_given_as_it_stands_in_the_store(tmp_path: Path) -> None:
    builder = Builder()
    gap = {"from": "2026-11-22T05:12:07Z", "to": None, "cause": "stall", "repaired_by": None, "tweets": 0}
    counts = {"delete": 3, "limit": 1}
    entries = builder.hour(START, joined(tweets(3)), gaps=[gap], rejects=2, undelivered=17, message_counts=counts)
    lake = cauce.Lake(builder.to_folder(tmp_path))
    for hour in (lake.hours()[0], lake.hour(HOUR)):
        assert hour.manifest is not None
        assert hour.manifest["objects"] == entries
        assert hour.manifest["agent"] == "agent"
        assert hour.gaps == [gap]
        assert (hour.rejects, hour.undelivered, hour.message_counts) == (2, 17, counts)


def test_late_tweets_are_counted_and_read_apart(tmp_path: Path) -> None:
    builder = Builder()
    builder.hour(START, joined(tweets(3)))
    builder.late(START, 1, joined(tweets(1, 50)))
    builder.late(START, 2, joined(tweets(2, 60)))
    hour = cauce.Lake(builder.to_folder(tmp_path)).hour(HOUR)
    assert (hour.tweets, hour.late) == (3, 3)
    assert list(hour.lines()) == tweets(3)
    assert list(hour.lines(late=True)) == tweets(1, 50) + tweets(2, 60)


def test_late_objects_are_listed_as_their_manifests_list_them(tmp_path: Path) -> None:
    builder = Builder()
    builder.hour(START, joined(tweets(3)))
    builder.late(START, 1, joined(tweets(1, 50)))
    builder.late(START, 2, joined(tweets(2, 60)))
    lake = cauce.Lake(builder.to_folder(tmp_path))
    for hour in (lake.hours()[0], lake.hour(HOUR)):
        assert [found.lines for found in hour.late_objects] == [1, 2]
        assert all(found.key.startswith("late/11-22-05/") for found in hour.late_objects)
        assert hour.urls(late=True) == [found.url for found in hour.late_objects]
        assert [Path(found.url).stat().st_size for found in hour.late_objects] == [
            found.bytes for found in hour.late_objects
        ]
        second = hour.late_objects[1]
        assert list(hour.lines(objects=[second.key], late=True)) == tweets(2, 60)
        assert {found.key for found in hour.objects}.isdisjoint(found.key for found in hour.late_objects)
    with pytest.raises(ValueError, match="has no object late/"):
        lake.hour(HOUR).lines(objects=[second.key])


def test_an_hour_whose_manifest_cannot_be_trusted_is_told_and_left_out(folder: Path, lake: cauce.Lake) -> None:
    (folder / "_hours" / f"{HOUR}.json").write_text("{}")
    with pytest.warns(cauce.LakeWarning, match=f"_hours/{HOUR}.json"):
        hours = lake.hours()
    assert HOUR not in [hour.name for hour in hours]
    with pytest.raises(cauce.CorruptObject, match=f"_hours/{HOUR}.json"):
        lake.hour(HOUR)
    # It will not change any more, so whoever waits need not wait on.
    assert lake.closed([HOUR]) == {HOUR}


def test_a_wrong_pattern_is_told_where_nothing_else_is_found(folder: Path) -> None:
    for manifest in (folder / "_hours").iterdir():
        manifest.unlink()
    with pytest.warns(cauce.LakeWarning, match="not one that the pattern %Y/%m/%d/%H names"):
        assert cauce.Lake(folder, pattern="%Y/%m/%d/%H").hours() == []


def test_a_name_without_a_time_in_a_folder_without_a_year_is_left_out_for_that_reason(tmp_path: Path) -> None:
    folder = tmp_path / "11-22-05"
    folder.mkdir()
    (folder / "tweets.json").write_bytes(joined(tweets(4)))
    with pytest.warns(cauce.LakeWarning, match=r"1 object is left out, 11-22-05/tweets\.json: its folder names no"):
        assert cauce.Lake(tmp_path).hours() == []


def test_a_folder_of_flume_is_listed_as_the_day_it_is_and_read(tmp_path: Path) -> None:
    folder = tmp_path / "11-22-"
    folder.mkdir()
    (folder / "FlumeData.1795323600123").write_bytes(joined(tweets(4)))
    (entry,) = cauce.Lake(tmp_path).hours()
    assert (entry.name, entry.granularity, entry.closed) == ("2026-11-22", "day", False)
    assert entry.start == dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
    assert list(entry.lines()) == tweets(4)
    with pytest.raises(ValueError, match="is no hour"):
        cauce.Lake(tmp_path).hour(entry)


def test_several_lakes_are_one_in_which_an_hour_closes_when_it_is_closed_in_each(tmp_path: Path) -> None:
    later = hours_from(START, 2)[1]
    both, one = Builder(), Builder()
    both.hour(START, joined(tweets(2)))
    both.hour(later, joined(tweets(2, 10)))
    one.hour(START, joined(tweets(3, 20)))
    one.open_hour(later, joined(tweets(1, 30)))
    lake = cauce.Lake([both.to_folder(tmp_path / "a"), str(one.to_folder(tmp_path / "b"))])
    assert [(hour.closed, hour.tweets) for hour in lake.hours()] == [(True, 5), (False, None)]
    assert lake.closed([START, later]) == {START}
    assert list(lake.hour(START).lines()) == tweets(2) + tweets(3, 20)


def test_hours_compare_and_show_by_what_they_are(lake: cauce.Lake, folder: Path) -> None:
    listed, looked_up = lake.hours()[0], lake.hour(HOUR)
    assert listed == looked_up
    assert hash(listed) == hash(looked_up)
    assert listed != lake.hours()[1]
    assert str(listed) == HOUR
    assert repr(listed).startswith(f"<cauce.Hour {HOUR} closed, 20 tweets, 2 objects, ")
    assert repr(lake) == f"cauce.Lake({str(folder)!r}, pattern='%m-%d-%h')"
    assert listed.lake == lake
