"""Cauce's Python module, as its documents show it."""

import datetime

import cauce
from store import BUCKET, KEY_ID, REGION, ROOT_OF, SECRET, answer, asked

FIRST = datetime.datetime(2021, 10, 31, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
COLUMNS = ["tweet_id", "created_at", "lang", "author_id", "text"]


def lake_at(endpoint: str, root: str, concurrency: int | None = None) -> cauce.Lake:
    """A lake on the server; without a concurrency Cauce finds its own."""
    return cauce.Lake(f"s3://{BUCKET}/{root}", endpoint_url=endpoint, region=REGION, access_key_id=KEY_ID, secret_access_key=SECRET, concurrency=concurrency)


def main() -> None:
    given = asked()
    if given.task == "year":
        begin = datetime.datetime(2021, 1, 1, tzinfo=datetime.UTC)
        hours = [begin + datetime.timedelta(hours=number) for number in range(8760)]
        answer(hours=len(lake_at(given.endpoint, "year").closed(hours)))
        return
    lake = lake_at(given.endpoint, ROOT_OF[given.task], given.at_once if given.at_once > 1 else None)
    hours = lake.hours(FIRST, FIRST + DAY)
    if given.task == "list":
        answer(objects=sum(len(hour.objects) for hour in hours), bytes=sum(hour.bytes for hour in hours))
    elif given.task == "table":
        import pyarrow as pa
        import pyarrow.compute as pc

        table = pa.table(lake.batches(hours, columns=COLUMNS))
        answer(rows=table.num_rows, columns=table.num_columns, text_bytes=pc.sum(pc.binary_length(table["text"])).as_py())
    else:
        lines = 0
        for _line in lake.lines(hours):
            lines += 1
        answer(lines=lines)


if __name__ == "__main__":
    main()
