"""Five typed columns of v2 lines with pyarrow: an object parsed with just their members, and the table made of them."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
from arrow_project import found, moment, of
from arrow_schema import I64, TEXT, struct

WIRE = pa.schema(
    [
        (
            "data",
            struct(
                id=TEXT,
                lang=TEXT,
                author_id=TEXT,
                text=TEXT,
                note_tweet=struct(text=TEXT),
                referenced_tweets=pa.list_(struct(type=TEXT, id=TEXT)),
            ),
        ),
        ("includes", struct(tweets=pa.list_(struct(id=TEXT, text=TEXT, note_tweet=struct(text=TEXT))))),
    ]
)
PARSING = pj.ParseOptions(explicit_schema=WIRE, unexpected_field_behavior="ignore")


def parse(data: bytes) -> pa.Table:
    """One object, in its caller's thread: the threads are over the objects."""
    return pj.read_json(pa.BufferReader(data), pj.ReadOptions(use_threads=False, block_size=len(data) + 1), PARSING)


def typed(parsed: list[pa.Table]) -> pa.Table:
    """All objects at once: the kernels cost less than one by one."""
    table = pa.concat_tables(parsed).combine_chunks()
    related = of(table, "data", "referenced_tweets")
    retweeted = pc.struct_field(found(related, pa.repeat("retweeted", len(table)), "type"), "id")
    original = found(of(table, "includes", "tweets"), retweeted, "id")
    ids = of(table, "data", "id").cast(I64)
    text = pc.coalesce(
        pc.struct_field(original, ["note_tweet", "text"]),
        pc.struct_field(original, ["text"]),
        of(table, "data", "note_tweet", "text"),
        of(table, "data", "text"),
    )
    return pa.table(
        {
            "tweet_id": ids,
            "created_at": moment(ids),
            "lang": of(table, "data", "lang"),
            "author_id": of(table, "data", "author_id").cast(I64),
            "text": text,
        }
    )


def text_bytes(table: pa.Table) -> int:
    """A check that is cheap to make and hard to get right by chance."""
    return pc.sum(pc.binary_length(table["text"])).as_py()
