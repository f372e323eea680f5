"""Arrow types for the contenders that go through pyarrow: the projection, and what they ask of the wire."""

import pyarrow as pa

I64, TEXT, BOOL, F64 = pa.int64(), pa.string(), pa.bool_(), pa.float64()


def struct(**members: pa.DataType) -> pa.StructType:
    return pa.struct(list(members.items()))


_TYPES = {
    I64: "tweet_id author_id author_followers retweets likes replies quotes reply_to_tweet_id reply_to_user_id retweeted_id quoted_id conversation_id",
    TEXT: "text lang source author_username author_name place_full_name place_country",
    BOOL: "author_verified possibly_sensitive",
    F64: "lon lat",
    pa.list_(TEXT): "hashtags mentions urls",
    pa.timestamp("us", "UTC"): "created_at",
}
_ORDER = (
    "tweet_id created_at text lang source author_id author_username author_name author_followers author_verified retweets likes replies quotes "
    "reply_to_tweet_id reply_to_user_id retweeted_id quoted_id conversation_id hashtags mentions urls place_full_name place_country lon lat "
    "possibly_sensitive"
).split()
_KIND_OF = {name: kind for kind, names in _TYPES.items() for name in names.split()}
PROJECTION = pa.schema([(name, _KIND_OF[name]) for name in _ORDER])

_FULL = {"extended_tweet": struct(full_text=TEXT), "full_text": TEXT, "text": TEXT}

WIRE = {
    "v1": pa.schema(
        list(
            {
                "id": I64,
                **_FULL,
                "lang": TEXT,
                "source": TEXT,
                "user": struct(id=I64, screen_name=TEXT, name=TEXT, followers_count=I64, verified=BOOL),
                "retweet_count": I64,
                "favorite_count": I64,
                "reply_count": I64,
                "quote_count": I64,
                "in_reply_to_status_id": I64,
                "in_reply_to_user_id": I64,
                "retweeted_status": struct(id=I64, **_FULL),
                "quoted_status_id": I64,
                "entities": struct(
                    hashtags=pa.list_(struct(text=TEXT)), user_mentions=pa.list_(struct(screen_name=TEXT)), urls=pa.list_(struct(expanded_url=TEXT))
                ),
                "place": struct(full_name=TEXT, country=TEXT),
                "coordinates": struct(coordinates=pa.list_(F64)),
                "possibly_sensitive": BOOL,
            }.items()
        )
    ),
    "v2": pa.schema(
        [
            (
                "data",
                struct(
                    id=TEXT,
                    text=TEXT,
                    note_tweet=struct(text=TEXT),
                    lang=TEXT,
                    source=TEXT,
                    author_id=TEXT,
                    public_metrics=struct(retweet_count=I64, like_count=I64, reply_count=I64, quote_count=I64),
                    in_reply_to_user_id=TEXT,
                    referenced_tweets=pa.list_(struct(type=TEXT, id=TEXT)),
                    conversation_id=TEXT,
                    entities=struct(hashtags=pa.list_(struct(tag=TEXT)), mentions=pa.list_(struct(username=TEXT)), urls=pa.list_(struct(expanded_url=TEXT))),
                    geo=struct(place_id=TEXT, coordinates=struct(coordinates=pa.list_(F64))),
                    possibly_sensitive=BOOL,
                ),
            ),
            (
                "includes",
                struct(
                    users=pa.list_(struct(id=TEXT, username=TEXT, name=TEXT, verified=BOOL, public_metrics=struct(followers_count=I64))),
                    tweets=pa.list_(struct(id=TEXT, text=TEXT, note_tweet=struct(text=TEXT))),
                    places=pa.list_(struct(id=TEXT, full_name=TEXT, country=TEXT)),
                ),
            ),
        ]
    ),
}
