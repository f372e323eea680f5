"""Programs for `spark-submit`. They need `pyspark` and `cauce` alone, on the driver and on the executors."""
