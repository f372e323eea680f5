"""Numbers for Prometheus that luigid shows at `/metrics`: luigi's own, and tweets and bytes by kind of task.

Loaded by luigid: `[scheduler] metrics_collector = custom`, `metrics_custom_import = luigi_tasks.metrics.Collector`. Workers send
the numbers through `luigi_tasks.progress.ReportStatistics`.
"""

from typing import Any

from luigi.contrib.prometheus_metric import PrometheusMetricsCollector
from prometheus_client import Counter


class Collector(PrometheusMetricsCollector):
    """Luigi's collector with two more counters."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._counters = {
            "tweets": Counter("cauce_task_tweets_total", "tweets that luigi tasks handled", self.labels, registry=self.registry),
            "bytes": Counter("cauce_task_bytes_total", "bytes that luigi tasks wrote", self.labels, registry=self.registry),
        }

    def handle_task_statistics(self, task: Any, statistics: Any) -> None:
        """Adds what a worker reported. Names and values that are none of ours are left out: anybody can call the scheduler."""
        labels = self._generate_task_labels(task)
        for name, counter in self._counters.items():
            value = statistics.get(name) if isinstance(statistics, dict) else None
            if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
                counter.labels(**labels).inc(value)
