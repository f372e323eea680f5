"""PySpark local[2] with the schema spelled out, as a job that a user would write. One Spark for all the files."""

import pathlib

from duckdb_sql import COLUMNS_OF
from jobs import answer, asked
from pyspark.sql import SparkSession

V1 = """
    SELECT id tweet_id, timestamp_millis(shiftright(id, 22) + 1288834974657) created_at,
        coalesce(retweeted_status.extended_tweet.full_text, retweeted_status.full_text, retweeted_status.text,
            extended_tweet.full_text, full_text, text) text,
        lang, regexp_extract(source, '>([^<]*)<', 1) source, user.id author_id, user.screen_name author_username, user.name author_name,
        user.followers_count author_followers, user.verified author_verified,
        retweet_count retweets, favorite_count likes, reply_count replies, quote_count quotes,
        in_reply_to_status_id reply_to_tweet_id, in_reply_to_user_id reply_to_user_id, retweeted_status.id retweeted_id,
        quoted_status_id quoted_id, cast(null AS bigint) conversation_id,
        entities.hashtags.text hashtags, entities.user_mentions.screen_name mentions, entities.urls.expanded_url urls,
        place.full_name place_full_name, place.country place_country,
        get(coordinates.coordinates, 0) lon, get(coordinates.coordinates, 1) lat, possibly_sensitive
    FROM lines"""

V2 = """
    WITH found AS (
        SELECT data, includes.tweets others, get(filter(includes.users, x -> x.id = data.author_id), 0) author,
            get(filter(data.referenced_tweets, x -> x.type = 'retweeted'), 0).id retweeted_id,
            get(filter(includes.places, x -> x.id = data.geo.place_id), 0) place
        FROM lines),
    original AS (SELECT *, get(filter(others, x -> x.id = retweeted_id), 0) retweeted FROM found)
    SELECT cast(data.id AS bigint) tweet_id, timestamp_millis(shiftright(cast(data.id AS bigint), 22) + 1288834974657) created_at,
        coalesce(retweeted.note_tweet.text, retweeted.text, data.note_tweet.text, data.text) text, data.lang lang, data.source source,
        cast(data.author_id AS bigint) author_id, author.username author_username, author.name author_name,
        author.public_metrics.followers_count author_followers, author.verified author_verified,
        data.public_metrics.retweet_count retweets, data.public_metrics.like_count likes,
        data.public_metrics.reply_count replies, data.public_metrics.quote_count quotes,
        cast(get(filter(data.referenced_tweets, x -> x.type = 'replied_to'), 0).id AS bigint) reply_to_tweet_id,
        cast(data.in_reply_to_user_id AS bigint) reply_to_user_id, cast(retweeted_id AS bigint) retweeted_id,
        cast(get(filter(data.referenced_tweets, x -> x.type = 'quoted'), 0).id AS bigint) quoted_id,
        cast(data.conversation_id AS bigint) conversation_id,
        data.entities.hashtags.tag hashtags, data.entities.mentions.username mentions, data.entities.urls.expanded_url urls,
        place.full_name place_full_name, place.country place_country,
        get(data.geo.coordinates.coordinates, 0) lon, get(data.geo.coordinates.coordinates, 1) lat, data.possibly_sensitive possibly_sensitive
    FROM original"""


def ddl(kind: str) -> str:
    """DuckDB's types in Spark's words; v2's ids are strings on the wire, and Spark reads them as such only."""
    return ", ".join(f"`{name}` {spark_type(text, strings=kind == 'v2')}" for name, text in COLUMNS_OF[kind].items())


def spark_type(text: str, strings: bool) -> str:
    """`STRUCT(a B, c D[])` as `STRUCT<a: B, c: ARRAY<D>>`."""
    text = text.strip()
    if text.endswith("[]"):
        return f"ARRAY<{spark_type(text[:-2], strings)}>"
    if not text.startswith("STRUCT("):
        return {"VARCHAR": "STRING"}.get(text, text)
    members, depth, begin, inner = [], 0, 0, text[len("STRUCT(") : -1]
    for at, sign in enumerate(f"{inner},"):
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth == 0:
            name, kind = inner[begin:at].strip().split(" ", 1)
            is_id = strings and (name.strip('"') == "id" or name.endswith("_id")) and kind == "BIGINT"
            members.append(f"`{name.strip(chr(34))}`: {'STRING' if is_id else spark_type(kind, strings)}")
            begin = at + 1
    return f"STRUCT<{', '.join(members)}>"


def main() -> None:
    given = asked()
    settings = {
        "spark.ui.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.parquet.compression.codec": "zstd",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.hadoop.parquet.compression.codec.zstd.level": "3",
        "spark.driver.memory": "2g",
        "spark.log.level": "ERROR",
    }
    builder = SparkSession.builder.master(f"local[{given.threads}]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    rows = 0
    for job in given.jobs:
        spark.read.schema(ddl(given.kind)).json(job.inputs).createOrReplaceTempView("lines")
        spark.sql(V1 if given.kind == "v1" else V2).write.parquet(job.output)
        rows += spark.read.parquet(job.output).count()
    machine = spark.sparkContext._gateway.proc
    spark.stop()
    machine.stdin.close()
    machine.wait()  # its CPU time and memory count only once it is waited for
    answer(rows=rows, files=sum(1 for job in given.jobs for _ in pathlib.Path(job.output).glob("*.parquet")))


if __name__ == "__main__":
    main()
