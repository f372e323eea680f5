"""The comparison within Spark: the data source of Cauce and Spark's own JSON reader, over the same lake in a folder."""

import shutil

from harness import data
from harness.places import Places
from harness.plan import CAUCE, Comparison, Contender, Goal

JSON = "spark.read.json"
ROUNDS = 3  # of minutes each
LIMIT = 1800


def reading(places: Places) -> list[Comparison]:
    if not shutil.which("java"):
        return []
    lake = data.day(places.data, "v2", places.spark_megabytes)

    def contender(name: str, reader: str) -> Contender:
        words = [reader, "v2", lake, "--threads", places.threads]
        return Contender(name, places.script("read_spark.py", *words), rounds=ROUNDS, limit=LIMIT)

    return [
        Comparison(
            "spark-v2",
            "v2: 24 hours of 12 objects each, every cell of 27 columns",
            'PySpark local[2], whole processes, the start of Spark included: `spark.read.format("cauce")` with a schema, and '
            "`spark.read.json` with the schema of the wire and the same projection as SQL. Each sums a hash of all cells; the sums must agree.",
            [contender(CAUCE, "cauce"), contender(JSON, "json")],
            [Goal("wall", JSON, 2)],
            data.size(lake) / 1e6,
        )
    ]
