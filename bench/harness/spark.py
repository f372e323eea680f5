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

    def both(*more: str) -> list[Contender]:
        def contender(name: str, reader: str) -> Contender:
            words = [reader, "v2", lake, "--threads", places.threads, *more]
            return Contender(name, places.script("read_spark.py", *words), rounds=ROUNDS, limit=LIMIT)

        return [contender(CAUCE, "cauce"), contender(JSON, "json")]

    goals = [Goal("wall", JSON, 2)]
    megabytes = data.size(lake) / 1e6
    return [
        Comparison(
            "spark-v2",
            "v2: 24 hours of 12 objects each, every cell of 27 columns",
            'PySpark local[2], whole processes, the start of Spark included: `spark.read.format("cauce")` with a schema, and '
            "`spark.read.json` with the schema of the wire and the same projection as SQL. Each sums a hash of all cells; the sums must agree.",
            both(),
            goals,
            megabytes,
            lake=lake,
        ),
        Comparison(
            "spark-v2-again",
            "v2: the same query once more, in the session that is up",
            "The same processes ask the same again: what reading takes where Spark and its Python processes have long been started, as in a shell or "
            "on a cluster. Only the wall time is that of the second query; CPU time and memory are of the whole process with both.",
            both("--again"),
            goals,
            megabytes,
            lake=lake,
        ),
    ]
