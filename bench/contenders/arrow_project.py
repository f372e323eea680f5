"""From the wire's columns to the projection with pyarrow's kernels: no Python loop over rows."""

import pyarrow as pa
import pyarrow.compute as pc
from arrow_schema import I64, PROJECTION

SNOWFLAKE_EPOCH_MS = 1288834974657
Array = pa.Array | pa.ChunkedArray


def project(kind: str, table: pa.Table) -> pa.Table:
    """The 27 columns of a table as it was read."""
    table = table.combine_chunks()
    columns = v1(table) if kind == "v1" else v2(table)
    return pa.table({field.name: cast(columns[field.name], field.type) for field in PROJECTION}, schema=PROJECTION)


def cast(column: Array, kind: pa.DataType) -> Array:
    return column if column.type == kind else column.cast(kind)


def of(table: pa.Table, *path: str) -> pa.Array:
    """A member of nested structs, with the nulls of what holds it."""
    column = table[path[0]]
    one = column.chunk(0) if column.num_chunks else pa.array([], column.type)
    return pc.struct_field(one, list(path[1:])) if len(path) > 1 else one


def members(lists: pa.Array, *name: str) -> pa.Array:
    """`[{tag}, …]` as `[tag, …]`; nulls stay nulls."""
    inner = pc.struct_field(lists.flatten(), list(name))
    # Offsets of a list that is null may still span values: what flatten leaves out, lengths leave out too.
    lengths = pc.fill_null(pc.list_value_length(lists), 0)
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths).cast(pa.int32())])
    return pa.ListArray.from_arrays(offsets, inner, mask=lists.is_null())


def found(lists: pa.Array, keys: pa.Array, *name: str) -> pa.Array:
    """For each row the member of the list whose `name` is the row's key: its struct, null where there is none."""
    rows = pc.list_parent_indices(lists)
    values = lists.flatten()
    same = pc.equal(pc.struct_field(values, list(name)), pc.take(keys, rows))
    places = pc.filter(pa.arange(0, len(values)), pc.fill_null(same, False))
    wanted = pc.index_in(pa.arange(0, len(keys)), pc.take(rows, places).cast(I64))
    return pc.take(values, pc.take(places, wanted))


def moment(ids: pa.Array) -> pa.Array:
    """The time in an id, to the millisecond."""
    return pc.add(pc.shift_right(ids, 22), SNOWFLAKE_EPOCH_MS).cast(pa.timestamp("ms", "UTC")).cast(pa.timestamp("us", "UTC"))


def v1(table: pa.Table) -> dict[str, Array]:
    original = {name: of(table, "retweeted_status", *name) for name in (("extended_tweet", "full_text"), ("full_text",), ("text",))}
    point = of(table, "coordinates", "coordinates")
    none = pa.nulls(len(table), I64)
    return {
        "tweet_id": of(table, "id"),
        "created_at": moment(of(table, "id")),
        "text": pc.coalesce(*original.values(), of(table, "extended_tweet", "full_text"), of(table, "full_text"), of(table, "text")),
        "lang": of(table, "lang"),
        "source": pc.replace_substring_regex(of(table, "source"), "<[^>]*>", ""),
        "author_id": of(table, "user", "id"),
        "author_username": of(table, "user", "screen_name"),
        "author_name": of(table, "user", "name"),
        "author_followers": of(table, "user", "followers_count"),
        "author_verified": of(table, "user", "verified"),
        "retweets": of(table, "retweet_count"),
        "likes": of(table, "favorite_count"),
        "replies": of(table, "reply_count"),
        "quotes": of(table, "quote_count"),
        "reply_to_tweet_id": of(table, "in_reply_to_status_id"),
        "reply_to_user_id": of(table, "in_reply_to_user_id"),
        "retweeted_id": of(table, "retweeted_status", "id"),
        "quoted_id": of(table, "quoted_status_id"),
        "conversation_id": none,
        "hashtags": members(of(table, "entities", "hashtags"), "text"),
        "mentions": members(of(table, "entities", "user_mentions"), "screen_name"),
        "urls": members(of(table, "entities", "urls"), "expanded_url"),
        "place_full_name": of(table, "place", "full_name"),
        "place_country": of(table, "place", "country"),
        "lon": pc.list_element(point, 0) if len(point) > point.null_count else none,
        "lat": pc.list_element(point, 1) if len(point) > point.null_count else none,
        "possibly_sensitive": of(table, "possibly_sensitive"),
    }


def v2(table: pa.Table) -> dict[str, Array]:
    author = found(of(table, "includes", "users"), of(table, "data", "author_id"), "id")
    place = found(of(table, "includes", "places"), of(table, "data", "geo", "place_id"), "id")
    related = of(table, "data", "referenced_tweets")
    ids = {kind: pc.struct_field(found(related, pa.repeat(kind, len(table)), "type"), "id") for kind in ("retweeted", "quoted", "replied_to")}
    ids["own"] = of(table, "data", "id").cast(I64)
    original = found(of(table, "includes", "tweets"), ids["retweeted"], "id")
    point = of(table, "data", "geo", "coordinates", "coordinates")
    none = pa.nulls(len(table), I64)
    return {
        "tweet_id": ids["own"],
        "created_at": moment(ids["own"]),
        "text": pc.coalesce(
            pc.struct_field(original, ["note_tweet", "text"]),
            pc.struct_field(original, ["text"]),
            of(table, "data", "note_tweet", "text"),
            of(table, "data", "text"),
        ),
        "lang": of(table, "data", "lang"),
        "source": of(table, "data", "source"),
        "author_id": of(table, "data", "author_id"),
        "author_username": pc.struct_field(author, ["username"]),
        "author_name": pc.struct_field(author, ["name"]),
        "author_followers": pc.struct_field(author, ["public_metrics", "followers_count"]),
        "author_verified": pc.struct_field(author, ["verified"]),
        "retweets": of(table, "data", "public_metrics", "retweet_count"),
        "likes": of(table, "data", "public_metrics", "like_count"),
        "replies": of(table, "data", "public_metrics", "reply_count"),
        "quotes": of(table, "data", "public_metrics", "quote_count"),
        "reply_to_tweet_id": ids["replied_to"],
        "reply_to_user_id": of(table, "data", "in_reply_to_user_id"),
        "retweeted_id": ids["retweeted"],
        "quoted_id": ids["quoted"],
        "conversation_id": of(table, "data", "conversation_id"),
        "hashtags": members(of(table, "data", "entities", "hashtags"), "tag"),
        "mentions": members(of(table, "data", "entities", "mentions"), "username"),
        "urls": members(of(table, "data", "entities", "urls"), "expanded_url"),
        "place_full_name": pc.struct_field(place, ["full_name"]),
        "place_country": pc.struct_field(place, ["country"]),
        "lon": pc.list_element(point, 0) if len(point) > point.null_count else none,
        "lat": pc.list_element(point, 1) if len(point) > point.null_count else none,
        "possibly_sensitive": of(table, "data", "possibly_sensitive"),
    }
