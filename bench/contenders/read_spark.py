"""Spark local[N] over a day of tweets, 27 columns: READER KIND LAKE. The readers are `cauce` and `json`, spark.read.json with the schema spelled out.

Every cell of the projection goes into a hash, whose sum both must agree on; an absent list counts as an empty one. With `--again` the
time is that of the same query once more: what reading takes in a session that has long been up.
"""

import argparse
import os
import pathlib
import sys
import time
from typing import Any

from convert_spark import V1, V2, ddl
from jobs import answer
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

SCHEMA = """
    tweet_id long, created_at timestamp, text string, lang string, source string, author_id long,
    author struct<username: string, name: string, followers: long, verified: boolean>,
    metrics struct<retweets: long, likes: long, replies: long, quotes: long>,
    reply_to_tweet_id long, reply_to_user_id long, retweeted_id long, quoted_id long, conversation_id long,
    hashtags array<struct<tag: string>>, mentions array<struct<username: string>>, urls array<struct<expanded: string>>,
    place struct<full_name: string, country: string>, lon double, lat double, possibly_sensitive boolean"""

FLAT = """
    SELECT tweet_id, created_at, text, lang, source, author_id,
        author.username author_username, author.name author_name, author.followers author_followers, author.verified author_verified,
        metrics.retweets, metrics.likes, metrics.replies, metrics.quotes,
        reply_to_tweet_id, reply_to_user_id, retweeted_id, quoted_id, conversation_id,
        hashtags.tag hashtags, mentions.username mentions, urls.expanded urls,
        place.full_name place_full_name, place.country place_country, lon, lat, possibly_sensitive
    FROM lines"""

LISTS = ["hashtags", "mentions", "urls"]


def tweets(spark: Any, reader: str, kind: str, lake: pathlib.Path) -> DataFrame:
    if reader == "cauce":
        spark.read.format("cauce").schema(SCHEMA).load(str(lake)).createOrReplaceTempView("lines")
        return spark.sql(FLAT)
    # By their folders: more than 32 paths, as of files, are listed by a Spark job of their own, which takes seconds.
    hours = [str(folder) for folder in sorted(lake.glob("10-31-*"))]
    spark.read.schema(ddl(kind)).json(hours).createOrReplaceTempView("lines")
    return spark.sql(V1 if kind == "v1" else V2)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("reader", choices=["cauce", "json"])
    parser.add_argument("kind", choices=["v1", "v2"])
    parser.add_argument("lake", type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--again", action="store_true")
    given = parser.parse_args()
    os.environ["PYSPARK_PYTHON"] = sys.executable
    settings = {"spark.ui.enabled": "false", "spark.sql.session.timeZone": "UTC", "spark.driver.memory": "2g", "spark.log.level": "ERROR"}
    builder = SparkSession.builder.master(f"local[{given.threads}]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    frame = tweets(spark, given.reader, given.kind, given.lake)
    cells = [f.coalesce(f.col(name), f.array()) if name in LISTS else f.col(name) for name in frame.columns]
    query = frame.agg(f.count("*"), f.sum(f.xxhash64(*cells).cast("decimal(38,0)")))
    found = query.first()
    own: dict[str, float] = {}
    if given.again:
        began = time.perf_counter()
        found = query.first()
        own["wall"] = time.perf_counter() - began
    machine = spark.sparkContext._gateway.proc
    spark.stop()
    machine.stdin.close()
    machine.wait()  # its CPU time and memory count only once it is waited for
    answer(rows=found[0], hash=str(found[1]), **own)


if __name__ == "__main__":
    main()
