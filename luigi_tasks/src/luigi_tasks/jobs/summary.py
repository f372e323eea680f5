"""The numbers of some Parquet files of tweets, counted by Spark: `spark-submit summary.py URL --answer FILE`.

The answer is a small JSON object that the driver writes beside itself; who submitted the job puts it where it belongs.
"""

import argparse
import json
import pathlib
import re
import sys
from collections.abc import Sequence
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

# Entries of a ranking.
MOST = 10


def summary(tweets: DataFrame) -> dict[str, Any]:
    """How many tweets and authors there are, and which languages, kinds and hashtags; each tweet counts once for a hashtag."""
    tweets = tweets.where("role = 'matched'").select("tweet_id", "author_id", "lang", "tweet_type", "hashtags.tag").cache()
    # An aggregate without groups has one row.
    (counted,) = tweets.agg(f.count("*").alias("tweets"), f.count_distinct("author_id").alias("authors")).collect()
    tags = tweets.select(f.explode(f.array_distinct(f.transform("tag", f.lower))).alias("hashtag"))
    return {
        "tweets": counted["tweets"],
        "authors": counted["authors"],
        "languages": _ranking(tweets, "lang"),
        "kinds": _ranking(tweets, "tweet_type"),
        "hashtags": _ranking(tags, "hashtag"),
    }


def _ranking(frame: DataFrame, column: str) -> list[dict[str, Any]]:
    counts = frame.where(f.col(column).isNotNull()).groupBy(column).agg(f.count("*").alias("tweets"))
    return [row.asDict() for row in counts.orderBy(f.desc("tweets"), column).limit(MOST).collect()]


def main(arguments: Sequence[str]) -> int:
    """Counts, and writes the answer."""
    parser = argparse.ArgumentParser(prog="summary.py", description="The numbers of Parquet files of tweets.")
    parser.add_argument("urls", nargs="+", metavar="URL", help="a Parquet file; s3://… is read as s3a://…")
    parser.add_argument("--answer", type=pathlib.Path, required=True, metavar="FILE")
    asked = parser.parse_args(arguments)
    spark = SparkSession.builder.appName("cauce summary").getOrCreate()
    try:
        if spark.sparkContext.uiWebUrl:
            print(f"tracking URL: {spark.sparkContext.uiWebUrl}", file=sys.stderr, flush=True)
        # Hadoop knows S3 by this name.
        found = summary(spark.read.parquet(*(re.sub("^s3n?://", "s3a://", url) for url in asked.urls)))
    finally:
        spark.stop()
    asked.answer.write_text(json.dumps(found, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
