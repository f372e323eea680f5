"""The loop that everybody writes first: orjson a line, lists, pyarrow."""

from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from arrow_schema import PROJECTION
from jobs import answer, asked

GROUP = 122_880
SNOWFLAKE_EPOCH_MS = 1288834974657
Json = dict[str, Any]


def number(value: str | int | None) -> int | None:
    return None if value is None else int(value)


def moment(tweet_id: int) -> int:
    """Microseconds since 1970, of the time in an id."""
    return ((tweet_id >> 22) + SNOWFLAKE_EPOCH_MS) * 1000


def v1(tweet: Json) -> tuple[Any, ...]:
    user, entities = tweet["user"], tweet["entities"]
    retweeted, place = tweet.get("retweeted_status"), tweet.get("place") or {}
    original = retweeted or tweet
    text = (original.get("extended_tweet") or {}).get("full_text") or original.get("full_text") or original["text"]
    lon, lat = (tweet.get("coordinates") or {}).get("coordinates") or (None, None)
    source = tweet["source"]
    return (
        tweet["id"], moment(tweet["id"]), text, tweet["lang"], source[source.find(">") + 1 : source.rfind("<")],
        user["id"], user["screen_name"], user["name"], user["followers_count"], user["verified"],
        tweet["retweet_count"], tweet["favorite_count"], tweet.get("reply_count"), tweet.get("quote_count"),
        tweet["in_reply_to_status_id"], tweet["in_reply_to_user_id"], retweeted and retweeted["id"], tweet.get("quoted_status_id"), None,
        [tag["text"] for tag in entities["hashtags"]], [mention["screen_name"] for mention in entities["user_mentions"]],
        [url["expanded_url"] for url in entities["urls"]],
        place.get("full_name"), place.get("country"), lon, lat, tweet.get("possibly_sensitive"),
    )  # fmt: skip


def v2(line: Json) -> tuple[Any, ...]:
    tweet, includes = line["data"], line.get("includes", {})
    author_id = tweet.get("author_id")
    author: Json = next((user for user in includes.get("users", ()) if user["id"] == author_id), {})
    related = {one["type"]: one["id"] for one in tweet.get("referenced_tweets", ())}
    original: Json | None = next((one for one in includes.get("tweets", ()) if one["id"] == related.get("retweeted")), None)
    body = original or tweet
    geo, entities, metrics = tweet.get("geo", {}), tweet.get("entities", {}), tweet.get("public_metrics", {})
    place: Json = next((one for one in includes.get("places", ()) if one["id"] == geo.get("place_id")), {})
    lon, lat = geo.get("coordinates", {}).get("coordinates") or (None, None)
    return (
        int(tweet["id"]), moment(int(tweet["id"])), body.get("note_tweet", {}).get("text") or body["text"],
        tweet.get("lang"), tweet.get("source"),
        number(author_id), author.get("username"), author.get("name"), author.get("public_metrics", {}).get("followers_count"), author.get("verified"),
        metrics.get("retweet_count"), metrics.get("like_count"), metrics.get("reply_count"), metrics.get("quote_count"),
        number(related.get("replied_to")), number(tweet.get("in_reply_to_user_id")), number(related.get("retweeted")), number(related.get("quoted")),
        number(tweet.get("conversation_id")),
        [tag["tag"] for tag in entities.get("hashtags", ())], [mention["username"] for mention in entities.get("mentions", ())],
        [url.get("expanded_url") for url in entities.get("urls", ())],
        place.get("full_name"), place.get("country"), lon, lat, tweet.get("possibly_sensitive"),
    )  # fmt: skip


def main() -> None:
    given = asked()
    read = v1 if given.kind == "v1" else v2
    rows = 0
    for job in given.jobs:
        with pq.ParquetWriter(job.output, PROJECTION, compression="zstd", compression_level=3) as out:

            def write(group: list[tuple[Any, ...]]) -> None:
                columns = zip(*group, strict=True)
                arrays = [pa.array(column, field.type) for column, field in zip(columns, PROJECTION, strict=True)]
                out.write_table(pa.table(arrays, schema=PROJECTION), row_group_size=GROUP)

            group: list[tuple[Any, ...]] = []
            for name in job.inputs:
                with open(name, "rb") as lines:
                    for line in lines:
                        group.append(read(orjson.loads(line)))
                        if len(group) == GROUP:
                            write(group)
                            rows += len(group)
                            group = []
            if group:
                write(group)
                rows += len(group)
    answer(rows=rows)


if __name__ == "__main__":
    main()
