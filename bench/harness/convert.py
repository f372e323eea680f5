"""The comparisons that make Parquet: the projection of one file and of a day, and the whole table."""

import pathlib
import shutil
from typing import Any

from harness import data
from harness.places import Places
from harness.plan import CAUCE, Comparison, Contender, Goal

PROJECTION = (
    "tweet_id,created_at,text,lang,source,author_id,author.username,author.name,author.followers,author.verified,"
    "metrics.retweets,metrics.likes,metrics.replies,metrics.quotes,reply_to_tweet_id,reply_to_user_id,retweeted_id,quoted_id,conversation_id,"
    "hashtags.tag,mentions.username,urls.expanded,place.full_name,place.country,lon,lat,possibly_sensitive"
)
NO_JAVA = "Java is not installed"
# v2: what Polars' expressions cannot look up within a row (contenders/convert_polars.py).
POLARS_LEFT_OUT = "author_username,author_name,author_followers,author_verified,text,place_full_name,place_country"


def cauce(places: Places, lake: pathlib.Path, name: str, *flags: str) -> Contender:
    command = [str(places.ingest), "convert", "--lake", str(lake), "--to", "{out}", "--threads", str(places.threads), *flags]
    return Contender(name, command)


def peer(places: Places, name: str, script: str, kind: str, source: pathlib.Path, variant: str = "", **more: Any) -> Contender:
    words = [kind, source, "{out}", "--threads", places.threads, *(["--variant", variant] if variant else [])]
    return Contender(name, places.script(script, *words), **more)


def peers(places: Places, kind: str, source: pathlib.Path) -> list[Contender]:
    polars: dict[str, Any] = {
        "env": {"POLARS_MAX_THREADS": str(places.threads)},
        "note": "first user, post and place instead of the right ones" if kind == "v2" else "",
        "left_out": POLARS_LEFT_OUT if kind == "v2" else "",
    }
    some = [
        peer(places, "DuckDB", "convert_duckdb.py", kind, source),
        peer(places, "DuckDB, any order", "convert_duckdb.py", kind, source, "unordered"),
        peer(places, "Polars", "convert_polars.py", kind, source, **polars),
        peer(places, "PyArrow", "convert_pyarrow.py", kind, source),
        peer(places, "PyArrow, streaming", "convert_pyarrow.py", kind, source, "stream"),
        peer(places, "orjson + PyArrow", "convert_orjson.py", kind, source, rounds=2, note="one process"),
    ]
    if shutil.which("java"):
        some.append(peer(places, "PySpark", "convert_spark.py", kind, source, rounds=1, limit=900))
    return some


def against_duckdb(kind: str) -> list[Goal]:
    return [
        Goal("wall", "DuckDB", 2.2 if kind == "v1" else 2.3),
        Goal("cpu", "DuckDB", 1.8),
        Goal("peak_mib", "DuckDB", 3),
        Goal("out_mb", "DuckDB", 1.05),
        Goal("wall", "Polars", 7),
        Goal("wall", "PyArrow", 4.5),
    ]


def projected(places: Places, kind: str, key: str, title: str, what: str, lake: pathlib.Path, against: list[Contender], goals: list[Goal]) -> Comparison:
    """The projection of a lake by Cauce and by others, cell for cell the same."""
    own = cauce(places, lake, CAUCE, "--columns", PROJECTION)
    return Comparison(key, f"{kind}: {title}, 27 columns", what, [own, *against], goals, data.size(lake) / 1e6, same_cells=True, lake=lake)


def one_file(places: Places) -> list[Comparison]:
    found = []
    for kind in ("v1", "v2"):
        lake = data.hour(places.data, kind, places.megabytes)
        against = peers(places, kind, next(lake.glob("10-31-00/*.json")))
        title, what = "one hour of one object against one file", "The 27 columns of the projection, zstd level 3."
        found.append(projected(places, kind, f"convert-{kind}", title, what, lake, against, against_duckdb(kind)))
    for kind in ("v1", "v2"):
        lake = data.hour(places.data, kind, places.megabytes // 4)
        against = [one for one in peers(places, kind, next(lake.glob("10-31-00/*.json"))) if one.name in {"DuckDB", "PySpark"}]
        title, what = "one hour of a quarter of that", "The same of less: what starting costs shows more."
        found.append(projected(places, kind, f"convert-{kind}-quarter", title, what, lake, against, [Goal("wall", "DuckDB", 3)]))
    return found


def one_day(places: Places) -> list[Comparison]:
    found = []
    for kind in ("v1", "v2"):
        lake = data.day(places.data, kind, places.megabytes)
        against = [one for one in peers(places, kind, lake) if one.name in {"DuckDB", "PyArrow", "Polars"}]
        title, what = "24 hours of 12 objects each, 24 files out", "The same lines as above. Every contender writes a file for each hour."
        found.append(projected(places, kind, f"day-{kind}", title, what, lake, against, against_duckdb(kind)))
    return found


def whole_table(places: Places) -> list[Comparison]:
    found = []
    for kind in ("v1", "v2"):
        lake = data.hour(places.data, kind, places.megabytes)
        source = next(lake.glob("10-31-00/*.json"))
        against = [
            peer(places, "DuckDB, inferred", "convert_duckdb.py", kind, source, "inferred", note="schema from 20,480 lines"),
            peer(places, "DuckDB, inferred of all", "convert_duckdb.py", kind, source, "inferred-1", rounds=2, note="sample_size = -1"),
        ]
        found.append(
            Comparison(
                f"whole-{kind}",
                f"{kind}: the whole table",
                "Cauce's whole table, and with the raw line, against the schema that DuckDB infers. The columns differ, so cells are not compared.",
                [cauce(places, lake, CAUCE), cauce(places, lake, "Cauce, with raw", "--raw"), *against],
                [Goal("wall", "DuckDB, inferred", 2.5), Goal("wall", "DuckDB, inferred", 2.5, by="Cauce, with raw")],
                data.size(lake) / 1e6,
                lake=lake,
            )
        )
    return found
