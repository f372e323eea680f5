"""Hours of a Cauce lake as Luigi targets and tasks, and a report over them.

`luigi --module luigi_tasks RangeHourly --of ParquetHour …` is what a pipeline runs; docs/luigi.md of the repository has the
commands. Tasks that another one can require: `TweetHour` (the closed hour), `ParquetHour`, `ParquetDay`, `SummaryReport`; on Spark
`ConvertHours` and `HourlySummary`.
"""

from luigi.tools.range import RangeDaily, RangeHourly

from luigi_tasks.hours import HourParameter, HourTarget, TweetHour
from luigi_tasks.parquet import ParquetDay, ParquetHour, ParquetHourTarget
from luigi_tasks.progress import ProgressTask
from luigi_tasks.report.task import ReportTarget, SummaryReport
from luigi_tasks.settings import SettingsError
from luigi_tasks.spark import ConvertHours, HourlySummary, SparkTask, SummaryTarget
from luigi_tasks.store_target import StoreTarget

__all__ = [
    "ConvertHours",
    "HourParameter",
    "HourTarget",
    "HourlySummary",
    "ParquetDay",
    "ParquetHour",
    "ParquetHourTarget",
    "ProgressTask",
    # Luigi's own, so that `--module luigi_tasks` knows them.
    "RangeDaily",
    "RangeHourly",
    "ReportTarget",
    "SettingsError",
    "SparkTask",
    "StoreTarget",
    "SummaryReport",
    "SummaryTarget",
    "TweetHour",
]
