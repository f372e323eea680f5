"""Polars: scan_ndjson of an s3:// pattern with just the members that are needed.

It is spared the look-up of a retweet's text by id, as in convert_polars.py: it takes the first included post.
"""

import polars as pl
from store import BUCKET, KEY_ID, REGION, ROOT_OF, SECRET, answer, asked

TEXT = pl.String
NOTE = pl.Struct({"text": TEXT})
DATA = {
    "id": TEXT,
    "lang": TEXT,
    "author_id": TEXT,
    "text": TEXT,
    "note_tweet": NOTE,
    "referenced_tweets": pl.List(pl.Struct({"type": TEXT, "id": TEXT})),
}
WIRE = pl.Schema({"data": pl.Struct(DATA), "includes": pl.Struct({"tweets": pl.List(pl.Struct({"id": TEXT, "text": TEXT, "note_tweet": NOTE}))})})


def main() -> None:
    given = asked()
    options = {
        "aws_endpoint_url": given.endpoint,
        "aws_access_key_id": KEY_ID,
        "aws_secret_access_key": SECRET,
        "aws_region": REGION,
        "aws_allow_http": "true",
    }
    lines = pl.scan_ndjson(f"s3://{BUCKET}/{ROOT_OF[given.task]}/10-31-*/*.json", schema=WIRE, storage_options=options)
    data, other = pl.col("data").struct, pl.col("includes").struct.field("tweets").list.first().struct
    ids = data.field("id").cast(pl.Int64)
    is_retweet = data.field("referenced_tweets").list.eval(pl.element().struct.field("type") == "retweeted").list.any()
    table = lines.select(
        tweet_id=ids,
        created_at=pl.from_epoch(ids // (1 << 22) + 1288834974657, "ms").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        lang=data.field("lang"),
        author_id=data.field("author_id").cast(pl.Int64),
        text=pl.coalesce(
            pl.when(is_retweet).then(pl.coalesce(other.field("note_tweet").struct.field("text"), other.field("text"))),
            data.field("note_tweet").struct.field("text"),
            data.field("text"),
        ),
    ).collect()
    answer(rows=table.height, columns=table.width, text_bytes=table["text"].str.len_bytes().sum())


if __name__ == "__main__":
    main()
