"""Hours of a tweet lake for Spark, with no jar: `spark.read.format("cauce").load("s3://bucket/prefix")`.

Spark imports every top-level module called `pyspark_…` when a Python data source is first used, and one that raises
makes all of them unknown. So this one imports nothing but pyspark, and has no `DefaultSource` where that is too old
(4.3 is needed): other sources then go on working. `cauce` and `pyarrow` are imported where rows are planned or read.
"""

try:
    from pyspark_cauce._source import DefaultSource
except ImportError:
    __all__: list[str] = []
else:
    __all__ = ["DefaultSource"]
