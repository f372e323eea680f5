"""Polars: scan_ndjson with an explicit schema into sink_parquet. POLARS_MAX_THREADS sets its threads.

For v2 it is spared two look-ups that its expressions cannot do within a row: the author is the first of the included users,
and a retweet's text and the place are those of the first included post and place. So it does less than the others, and those columns are not compared.
"""

import polars as pl
from jobs import answer, asked

SNOWFLAKE_EPOCH_MS = 1288834974657
I64, TEXT, BOOL, F64 = pl.Int64, pl.String, pl.Boolean, pl.Float64
FULL = {"extended_tweet": pl.Struct({"full_text": TEXT}), "full_text": TEXT, "text": TEXT}


def listed(**members: object) -> pl.List:
    return pl.List(pl.Struct(members))  # type: ignore[arg-type]  # polars takes classes for types


WIRE = {
    "v1": {
        "id": I64,
        **FULL,
        "lang": TEXT,
        "source": TEXT,
        "user": pl.Struct({"id": I64, "screen_name": TEXT, "name": TEXT, "followers_count": I64, "verified": BOOL}),
        "retweet_count": I64,
        "favorite_count": I64,
        "reply_count": I64,
        "quote_count": I64,
        "in_reply_to_status_id": I64,
        "in_reply_to_user_id": I64,
        "retweeted_status": pl.Struct({"id": I64, **FULL}),
        "quoted_status_id": I64,
        "entities": pl.Struct({"hashtags": listed(text=TEXT), "user_mentions": listed(screen_name=TEXT), "urls": listed(expanded_url=TEXT)}),
        "place": pl.Struct({"full_name": TEXT, "country": TEXT}),
        "coordinates": pl.Struct({"coordinates": pl.List(F64)}),
        "possibly_sensitive": BOOL,
    },
    "v2": {
        "data": pl.Struct(
            {
                "id": TEXT,
                "text": TEXT,
                "note_tweet": pl.Struct({"text": TEXT}),
                "lang": TEXT,
                "source": TEXT,
                "author_id": TEXT,
                "public_metrics": pl.Struct({"retweet_count": I64, "like_count": I64, "reply_count": I64, "quote_count": I64}),
                "in_reply_to_user_id": TEXT,
                "referenced_tweets": listed(type=TEXT, id=TEXT),
                "conversation_id": TEXT,
                "entities": pl.Struct({"hashtags": listed(tag=TEXT), "mentions": listed(username=TEXT), "urls": listed(expanded_url=TEXT)}),
                "geo": pl.Struct({"place_id": TEXT, "coordinates": pl.Struct({"coordinates": pl.List(F64)})}),
                "possibly_sensitive": BOOL,
            }
        ),
        "includes": pl.Struct(
            {
                "users": listed(id=TEXT, username=TEXT, name=TEXT, verified=BOOL, public_metrics=pl.Struct({"followers_count": I64})),
                "tweets": listed(id=TEXT, text=TEXT, note_tweet=pl.Struct({"text": TEXT})),
                "places": listed(id=TEXT, full_name=TEXT, country=TEXT),
            }
        ),
    },
}


def of(*path: str) -> pl.Expr:
    column = pl.col(path[0])
    for name in path[1:]:
        column = column.struct.field(name)
    return column


def members(lists: pl.Expr, name: str) -> pl.Expr:
    return lists.list.eval(pl.element().struct.field(name))


def first_of(lists: pl.Expr, kind: str) -> pl.Expr:
    chosen = pl.element().filter(pl.element().struct.field("type") == kind).struct.field("id")
    return lists.list.eval(chosen).list.first().cast(I64)


def moment(ids: pl.Expr) -> pl.Expr:
    """The time in an id, to the millisecond."""
    return pl.from_epoch(ids // (1 << 22) + SNOWFLAKE_EPOCH_MS, "ms").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def v1() -> dict[str, pl.Expr]:
    point = of("coordinates", "coordinates")
    return {
        "tweet_id": of("id"),
        "created_at": moment(of("id")),
        "text": pl.coalesce(
            of("retweeted_status", "extended_tweet", "full_text"),
            of("retweeted_status", "full_text"),
            of("retweeted_status", "text"),
            of("extended_tweet", "full_text"),
            of("full_text"),
            of("text"),
        ),
        "lang": of("lang"),
        "source": of("source").str.extract(">([^<]*)<"),
        "author_id": of("user", "id"),
        "author_username": of("user", "screen_name"),
        "author_name": of("user", "name"),
        "author_followers": of("user", "followers_count"),
        "author_verified": of("user", "verified"),
        "retweets": of("retweet_count"),
        "likes": of("favorite_count"),
        "replies": of("reply_count"),
        "quotes": of("quote_count"),
        "reply_to_tweet_id": of("in_reply_to_status_id"),
        "reply_to_user_id": of("in_reply_to_user_id"),
        "retweeted_id": of("retweeted_status", "id"),
        "quoted_id": of("quoted_status_id"),
        "conversation_id": pl.lit(None, I64),
        "hashtags": members(of("entities", "hashtags"), "text"),
        "mentions": members(of("entities", "user_mentions"), "screen_name"),
        "urls": members(of("entities", "urls"), "expanded_url"),
        "place_full_name": of("place", "full_name"),
        "place_country": of("place", "country"),
        "lon": point.list.get(0, null_on_oob=True),
        "lat": point.list.get(1, null_on_oob=True),
        "possibly_sensitive": of("possibly_sensitive"),
    }


def v2() -> dict[str, pl.Expr]:
    author, place, other = (of("includes", name).list.first() for name in ("users", "places", "tweets"))
    related = of("data", "referenced_tweets")
    point = of("data", "geo", "coordinates", "coordinates")
    original = pl.coalesce(other.struct.field("note_tweet").struct.field("text"), other.struct.field("text"))
    retweeted = first_of(related, "retweeted")
    return {
        "tweet_id": of("data", "id").cast(I64),
        "created_at": moment(of("data", "id").cast(I64)),
        "text": pl.coalesce(pl.when(retweeted.is_not_null()).then(original), of("data", "note_tweet", "text"), of("data", "text")),
        "lang": of("data", "lang"),
        "source": of("data", "source"),
        "author_id": of("data", "author_id").cast(I64),
        "author_username": author.struct.field("username"),
        "author_name": author.struct.field("name"),
        "author_followers": author.struct.field("public_metrics").struct.field("followers_count"),
        "author_verified": author.struct.field("verified"),
        "retweets": of("data", "public_metrics", "retweet_count"),
        "likes": of("data", "public_metrics", "like_count"),
        "replies": of("data", "public_metrics", "reply_count"),
        "quotes": of("data", "public_metrics", "quote_count"),
        "reply_to_tweet_id": first_of(related, "replied_to"),
        "reply_to_user_id": of("data", "in_reply_to_user_id").cast(I64),
        "retweeted_id": retweeted,
        "quoted_id": first_of(related, "quoted"),
        "conversation_id": of("data", "conversation_id").cast(I64),
        "hashtags": members(of("data", "entities", "hashtags"), "tag"),
        "mentions": members(of("data", "entities", "mentions"), "username"),
        "urls": members(of("data", "entities", "urls"), "expanded_url"),
        "place_full_name": place.struct.field("full_name"),
        "place_country": place.struct.field("country"),
        "lon": point.list.get(0, null_on_oob=True),
        "lat": point.list.get(1, null_on_oob=True),
        "possibly_sensitive": of("data", "possibly_sensitive"),
    }


def main() -> None:
    given = asked()
    columns = v1() if given.kind == "v1" else v2()
    for job in given.jobs:
        lines = pl.scan_ndjson(job.inputs, schema=pl.Schema(WIRE[given.kind]))
        lines.select(**columns).sink_parquet(job.output, compression="zstd", compression_level=3)
    answer(rows=pl.scan_parquet([job.output for job in given.jobs]).select(pl.len()).collect().item())


if __name__ == "__main__":
    main()
