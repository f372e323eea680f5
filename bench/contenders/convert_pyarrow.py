"""PyArrow with an explicit schema: read_json of a file at once, or (variant `stream`) open_json in batches."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq
from arrow_project import project
from arrow_schema import PROJECTION, WIRE
from jobs import answer, asked

GROUP = 122_880
BLOCK_BYTES = 4 << 20  # of 1, 4 and 16 MiB the fastest


def groups(names: list[str], reading: pj.ReadOptions, parsing: pj.ParseOptions, stream: bool) -> Iterator[pa.Table]:
    """The lines as tables of a row group each: also where files are small or read in batches, none is tiny."""
    if not stream:
        yield pa.concat_tables([pj.read_json(name, reading, parsing) for name in names])
        return
    held: list[pa.RecordBatch] = []
    rows = 0
    for name in names:
        for batch in pj.open_json(name, reading, parsing):
            held.append(batch)
            rows += batch.num_rows
            if rows >= GROUP:
                yield pa.Table.from_batches(held)
                held, rows = [], 0
    if held:
        yield pa.Table.from_batches(held)


def main() -> None:
    given = asked()
    pa.set_cpu_count(given.threads)
    reading = pj.ReadOptions(block_size=BLOCK_BYTES)
    parsing = pj.ParseOptions(explicit_schema=WIRE[given.kind], unexpected_field_behavior="ignore")
    rows = 0
    for job in given.jobs:
        with pq.ParquetWriter(job.output, PROJECTION, compression="zstd", compression_level=3) as out:
            for table in groups(job.inputs, reading, parsing, given.variant == "stream"):
                out.write_table(project(given.kind, table), row_group_size=GROUP)
                rows += table.num_rows
    answer(rows=rows)


if __name__ == "__main__":
    main()
