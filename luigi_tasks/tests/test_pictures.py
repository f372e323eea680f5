"""Words and pictures of a report, without a lake."""

import datetime as dt

import pytest

from luigi_tasks.report import charts, labels, page
from luigi_tasks.report.numbers import HourCount, Lag, Numbers, Ranked, Ranking

NOTHING = Ranking([], 0, 0)


def numbers(hours: list[HourCount]) -> Numbers:
    tweets = sum(hour.tweets or 0 for hour in hours)
    return Numbers("2026-11-22T05", "2026-11-22T08", tweets, hours, {}, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, Lag(0, 0, []))


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("plain", "plain"),
        ("two\nlines\tand a \u202eturn", "twolinesand a turn"),
        ("", labels._UNKNOWN),
        ("\u200b", labels._UNKNOWN),
        ("a" * 30, "a" * 24 + "…"),
        ("\U0010fffe", labels._UNKNOWN),
        ("Ⴀ", labels._UNKNOWN),
    ],
)
def test_a_label_is_drawn_on_one_line_with_letters_that_are_there(text: str, drawn: str) -> None:
    assert labels.shown(text, letters=frozenset(map(ord, "plaintwoesdur "))) == drawn


def test_labels_that_come_to_look_alike_are_numbered() -> None:
    assert labels.all_shown(["a" * 30, "a" * 40, "b"]) == ["a" * 24 + "… (1)", "a" * 24 + "… (2)", "b"]


def test_mathematics_in_a_hashtag_is_drawn_as_it_stands() -> None:
    assert charts.ranking([Ranked("$\\frac{", 3), Ranked("$x^2$", 1)], 4).startswith(b"\x89PNG")


def test_the_same_numbers_give_the_same_picture() -> None:
    hours = [HourCount("2026-11-22T05", 3), HourCount("2026-11-22T06", None), HourCount("2026-11-22T07", 0, 60.0)]
    assert charts.hours(hours) == charts.hours(hours)


@pytest.mark.parametrize("count", [1, 2, 97, 2000])
def test_any_number_of_hours_is_drawn(count: int) -> None:
    start = dt.datetime(2026, 1, 1)
    hours = [HourCount(f"{start + dt.timedelta(hours=number):%Y-%m-%dT%H}", number) for number in range(count)]
    assert charts.hours(hours).startswith(b"\x89PNG")


def test_shares_never_say_nothing_of_something_or_all_of_less() -> None:
    assert [charts.share_text(*pair) for pair in [(0, 9), (1, 9999), (9999, 10000), (1, 1), (1, 30), (0, 0)]] == [
        "0 %",
        "< 0.1 %",
        "> 99.9 %",
        "100 %",
        "3.3 %",
        "0 %",
    ]


def test_lengths_of_time_have_the_digits_they_deserve() -> None:
    lengths = {0: "0 s", 0.25: "0.2 s", 12.4: "12 s", 100: "2 min", 6000: "2 h", 400_000: "5 days", -3: "-3.0 s"}
    assert {seconds: page.seconds_text(seconds) for seconds in lengths} == lengths


def test_missing_hours_in_a_row_are_named_once() -> None:
    hours = ["2026-11-21T23", "2026-11-22T00", "2026-11-22T02"]
    assert page._runs(hours) == ["2026-11-21T23 to 2026-11-22T00", "2026-11-22T02"]


def test_closed_hours_without_tweets_are_a_picture_of_zeros_and_a_page_that_says_so() -> None:
    empty = numbers([HourCount("2026-11-22T05", 0), HourCount("2026-11-22T06", 0)])
    pictures = page.charts_of(empty)
    assert [picture.name for picture in pictures] == ["tweets-per-hour"]
    written = page.html(empty, pictures, "lake", dt.datetime(2026, 11, 22)).decode()
    assert "The closed hours of this range hold no tweets." in written


def test_what_stands_in_the_page_is_escaped() -> None:
    written = page.html(numbers([]), [], "<b>lake</b>", dt.datetime(2026, 11, 22)).decode()
    assert "<b>lake</b>" not in written
    assert "&lt;b&gt;lake&lt;/b&gt;" in written


@pytest.mark.parametrize(
    ("start", "stop", "written"),
    [
        ("2026-11-22T05", "2026-11-22T08", "22 November 2026, 05:00 to 08:00 UTC"),
        ("2026-11-22T00", "2026-11-23T00", "22 November 2026, UTC"),
        ("2026-11-22T23", "2026-11-23T01", "22 November 2026, 23:00 to 23 November 2026, 01:00 UTC"),
    ],
)
def test_a_range_is_written_for_people(start: str, stop: str, written: str) -> None:
    assert page.range_text(start, stop).replace("\N{NO-BREAK SPACE}", " ") == written


def test_groups_of_the_lag_are_named_with_their_units() -> None:
    assert [page._span(*ends) for ends in [(0, 1), (30, 60), (60, 300), (300, 3600), (3600, 86400), (86400, None)]] == [
        "0 to 1 s",
        "30 s to 1 min",
        "1 to 5 min",
        "5 min to 1 h",
        "1 h to 1 day",
        "over 1 day",
    ]
