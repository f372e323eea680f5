"""DuckDB: read_json with the columns spelled out, one COPY a file. Variants: `unordered`, and `inferred` with its whole schema."""

import duckdb
from duckdb_sql import COLUMNS_OF, PROJECTION_OF
from jobs import answer, asked


def main() -> None:
    given = asked()
    db = duckdb.connect()
    db.execute(f"SET threads = {given.threads}")
    db.execute("SET enable_progress_bar = false")
    if given.variant == "unordered":
        db.execute("SET preserve_insertion_order = false")
    rows = 0
    for job in given.jobs:
        if given.variant.startswith("inferred"):
            sample = given.variant.removeprefix("inferred") or "20480"
            query = f"SELECT * FROM read_json({job.inputs}, format = 'newline_delimited', sample_size = {sample})"
        else:
            columns = ", ".join(f"{name}: '{kind}'" for name, kind in COLUMNS_OF[given.kind].items())
            source = f"read_json({job.inputs}, format = 'newline_delimited', columns = {{{columns}}})"
            query = PROJECTION_OF[given.kind].format(source=source)
        done = db.execute(f"COPY ({query}) TO '{job.output}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3)").fetchone()
        rows += done[0] if done else 0
    answer(rows=rows)


if __name__ == "__main__":
    main()
