"""The report: its numbers are counted again by others, and its page holds what tweets say without becoming it."""

import datetime as dt
import html.parser
import json
import pathlib
import re
import shutil
from collections import Counter
from typing import Any

import duckdb
import polars as pl
import pytest
from servers import Moto
from tweets import FIRST, HOSTILE, HOURS, Tweet
from world import World, text

from luigi_tasks.report.task import lost_seconds

STOP = HOURS[-1] + dt.timedelta(hours=1)
NAME = f"{text(FIRST)}_{text(STOP)}"


def report(world: World, start: dt.datetime = FIRST, stop: dt.datetime = STOP, *more: str) -> tuple[int, str]:
    return world.luigi("SummaryReport", "--start", text(start), "--stop", text(stop), *more)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, lake_folder: pathlib.Path) -> World:
    """A world with the report of the three hours."""
    world = World(tmp_path_factory.mktemp("report") / "world", str(lake_folder))
    code, said = report(world)
    assert code == 0, said
    return world


@pytest.fixture(scope="module")
def numbers(made: World) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((pathlib.Path(made.reports) / NAME / "summary.json").read_text())
    return found


def top(ranking: dict[str, Any]) -> dict[str, int]:
    return {row["label"].lower(): row["tweets"] for row in ranking["top"]}


def most(counts: dict[str, int], number: int = 12) -> list[int]:
    return sorted(counts.values(), reverse=True)[:number]


def host(link: str) -> str | None:
    found = re.match(r"[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?([^/?#:]+)", link.lower())
    return found.group(1).removeprefix("www.") if found else None


def test_what_was_written_into_the_lake_is_what_is_counted(numbers: dict[str, Any], tweets: list[Tweet]) -> None:
    assert numbers["tweets"] == len(tweets)
    by_hour = Counter(text(tweet.created_at) for tweet in tweets)
    assert {hour["hour"]: hour["tweets"] for hour in numbers["hours"]} == dict(by_hour)
    kinds = {"retweeted": "retweet", "quoted": "quote", "replied_to": "reply", "original": "original"}
    assert numbers["kinds"] == dict(Counter(kinds[tweet.kind] for tweet in tweets))
    counts = {
        "hashtags": Counter(label for tweet in tweets for label in {tag.lower() for tag in tweet.tags}),
        "mentions": Counter(label for tweet in tweets for label in {name.lower() for name in tweet.mentions}),
        "domains": Counter(label for tweet in tweets for label in {host(link) for link in tweet.links} if label),
        "languages": Counter(tweet.lang for tweet in tweets),
        "authors": Counter(f"author_{tweet.author}" for tweet in tweets),
    }
    for name, counted in counts.items():
        assert numbers[name]["different"] == len(counted), name
        assert most(top(numbers[name])) == most(dict(counted)), name
        assert all(counted[label] == count for label, count in top(numbers[name]).items()), name
    assert numbers["hashtags"]["tweets"] == sum(bool(tweet.tags) for tweet in tweets)


def test_duckdb_over_the_lakes_own_lines_counts_the_same(made: World, numbers: dict[str, Any]) -> None:
    lines = f"read_json('{made.lake}/11-22-*/tweets.*.json', format = 'newline_delimited')"
    tags = duckdb.execute(
        f"select lower(h.tag), count(distinct data.id) from (select data, unnest(data.entities.hashtags) as h from {lines}) group by 1"
    ).fetchall()
    assert all(dict(tags)[label] == count for label, count in top(numbers["hashtags"]).items())
    assert most(top(numbers["hashtags"])) == most(dict(tags))
    languages = duckdb.execute(f"select data.lang, count(*) from {lines} group by 1").fetchall()
    assert top(numbers["languages"]) == dict(languages)


def test_polars_over_the_parquet_counts_the_same(made: World, numbers: dict[str, Any]) -> None:
    table = pl.read_parquet(f"{made.parquet}/date=*/hour=*/tweets.parquet").filter(pl.col("role") == "matched")
    lag = table.select((pl.col("received_at") - pl.col("created_at")).dt.total_microseconds().alias("us"))["us"]
    assert numbers["lag"]["known"] == lag.drop_nulls().len()
    assert numbers["lag"]["median"] == pytest.approx(float(lag.quantile(0.5, "linear") or 0) / 1e6)
    assert numbers["lag"]["p99"] == pytest.approx(float(lag.quantile(0.99, "linear") or 0) / 1e6)
    assert sum(numbers["lag"]["groups"]) + numbers["lag"]["early"] == numbers["tweets"]
    mentions = (
        table.select("tweet_id", pl.col("mentions").list.eval(pl.element().struct.field("username").str.to_lowercase()).list.unique())
        .explode("mentions")
        .drop_nulls()
        .group_by("mentions")
        .len()
    )
    assert most(top(numbers["mentions"])) == most(dict(mentions.iter_rows()))


class Page(html.parser.HTMLParser):
    """What a browser would take from the page."""

    def __init__(self, path: pathlib.Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_shows_foreign_text_and_asks_the_network_for_nothing(made: World) -> None:
    page = Page(pathlib.Path(made.reports) / NAME / "index.html")
    assert f"#{HOSTILE}" in page.text
    assert not [tag for tag, _ in page.tags if tag in ("script", "link", "iframe", "object")]
    sources = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    assert len(sources) == 8
    assert all(source and source.startswith("data:image/png;base64,") for source in sources)
    assert all(attributes.get("alt") for tag, attributes in page.tags if tag == "img")
    assert not [attributes for _, attributes in page.tags if "href" in attributes]


def test_the_pictures_stand_beside_the_page(made: World) -> None:
    folder = pathlib.Path(made.reports) / NAME
    names = ["authors", "domains", "hashtags", "kinds", "lag", "languages", "mentions", "tweets-per-hour"]
    assert sorted(path.stem for path in folder.glob("*.png")) == names
    assert all(path.read_bytes().startswith(b"\x89PNG\r\n") for path in folder.glob("*.png"))
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_a_report_that_is_there_is_not_made_again(made: World) -> None:
    before = (pathlib.Path(made.reports) / NAME / "index.html").stat().st_mtime_ns
    code, said = report(made)
    assert code == 0, said
    assert (pathlib.Path(made.reports) / NAME / "index.html").stat().st_mtime_ns == before


def test_a_range_with_an_open_hour_waits_for_it(world: World) -> None:
    code, said = report(world, FIRST - dt.timedelta(hours=1))
    assert code == 20
    assert f"hour {text(FIRST - dt.timedelta(hours=1))} is not closed" in said


def test_missing_hours_are_shown_as_missing_until_they_are_closed(world: World, lake_folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    world.lake = str(shutil.copytree(lake_folder, tmp_path / "growing"))
    manifest = pathlib.Path(world.lake, "_hours", f"{text(HOURS[1])}.json")
    kept = manifest.read_bytes()
    manifest.unlink()
    folder = pathlib.Path(world.reports) / NAME
    assert report(world, FIRST, STOP, "--allow-missing")[0] == 0
    counted = {hour["hour"]: hour["tweets"] for hour in json.loads((folder / "summary.json").read_text())["hours"]}
    assert counted == {text(HOURS[0]): 400, text(HOURS[1]): None, text(HOURS[2]): 400}
    page = Page(folder / "index.html")
    assert f"Not closed, so not counted: {text(HOURS[1])}." in page.text
    assert "2 of 3" in page.text
    manifest.write_bytes(kept)
    assert report(world, FIRST, STOP)[0] == 0
    assert json.loads((folder / "summary.json").read_text())["tweets"] == 1200


def test_what_the_manifests_say_was_left_out_stands_at_the_top_and_in_the_numbers(
    world: World, lake_folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    world.lake = str(shutil.copytree(lake_folder, tmp_path / "left-out"))
    path = pathlib.Path(world.lake, "_hours", f"{text(FIRST)}.json")
    manifest = json.loads(path.read_text())
    path.unlink()
    path.write_text(json.dumps(manifest | {"rejects": 3, "undelivered": 1700}) + "\n")
    assert report(world)[0] == 0
    folder = pathlib.Path(world.reports) / NAME
    page = Page(folder / "index.html")
    assert "1,700 left out by the stream" in page.text
    assert "3 lines rejected" in page.text
    hours = json.loads((folder / "summary.json").read_text())["hours"]
    assert [(hour["rejects"], hour["undelivered"]) for hour in hours] == [(3, 1700), (0, 0), (0, 0)]


@pytest.mark.parametrize(
    ("start", "stop", "says"),
    [
        (STOP, FIRST, "This range holds no hour: its end is not after its start."),
        (FIRST, FIRST, "This range holds no hour"),
        (FIRST.replace(year=2020), STOP.replace(year=2020), "No hour of this range is closed"),
    ],
)
def test_a_range_without_anything_gives_a_page_that_says_so(world: World, start: dt.datetime, stop: dt.datetime, says: str) -> None:
    code, said = report(world, start, stop, "--allow-missing")
    assert code == 0, said
    page = Page(pathlib.Path(world.reports) / f"{text(start)}_{text(stop)}" / "index.html")
    assert says in page.text
    assert not [tag for tag, _ in page.tags if tag == "img"]


def test_a_report_is_made_from_s3_and_kept_there(world_s3: World, moto: Moto, tweets: list[Tweet]) -> None:
    code, said = report(world_s3)
    assert code == 0, said
    bucket = world_s3.reports.split("/")[2]
    found = json.loads(moto.client().get_object(Bucket=bucket, Key=f"reports/{NAME}/summary.json")["Body"].read())
    assert found["tweets"] == len(tweets)
    assert report(world_s3)[0] == 0


def gap(start: str, end: str | None, repaired_by: str | None = None) -> dict[str, Any]:
    return {"from": start, "to": end, "cause": "disconnect", "repaired_by": repaired_by, "tweets": 0}


def test_time_without_a_connection_is_counted_once_and_inside_its_hour() -> None:
    assert lost_seconds(FIRST, []) == 0
    assert lost_seconds(FIRST, [gap("2026-11-22T04:59:00Z", "2026-11-22T05:01:00Z")]) == 60
    overlapping = [gap("2026-11-22T05:10:00Z", "2026-11-22T05:20:00Z"), gap("2026-11-22T05:15:00Z", "2026-11-22T05:21:00Z")]
    assert lost_seconds(FIRST, overlapping) == 660
    assert lost_seconds(FIRST, [gap("2026-11-22T05:50:00Z", None)]) == 600
    assert lost_seconds(FIRST, [gap("2026-11-22T05:10:00Z", "2026-11-22T05:20:00Z", "backfill")]) == 0
