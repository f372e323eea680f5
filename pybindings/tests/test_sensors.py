"""The examples of docs/sensors.md run where their program is installed, each over a lake in a folder.

Each runs by what its users start it with, in the program's own venv. `make test-sensors` makes the three; without them
these tests are left out.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import cauce
import pytest
from lakes import START, Builder, hours_from, joined, tweets

VENVS = Path(os.environ.get("CAUCE_TEST_SENSORS") or Path(sys.prefix) / "sensors")
PAGE = (Path(__file__).resolve().parents[2] / "docs/sensors.md").read_text()
# Seconds after which something that should happen is taken for never happening.
PATIENCE = 240.0


class World:
    """A lake whose last hour is open, and an example that waits for it."""

    def __init__(self, program: str, folder: Path) -> None:
        self.python = VENVS / program.lower() / "bin/python"
        if not self.python.exists():
            pytest.skip(f"{program} is not installed in {self.python.parents[1]}: make test-sensors installs it")
        self._builder = Builder()
        self.hour, self._open = hours_from(START, 2)
        self._builder.hour(self.hour, joined(tweets(20)))
        self._entries = self._builder.open_hour(self._open, joined(tweets(5, 20)))
        self.lake = self._builder.to_folder(folder / "lake")
        self.parquet = folder / "parquet"
        self.folder = folder
        found = re.search(rf"^## {program}$.*?^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
        assert found
        text = found[1].replace("s3://my-bucket/tweets", str(self.lake))
        text = text.replace("s3://my-bucket/parquet", str(self.parquet))
        # So that a test need not wait for a minute.
        self.text = text.replace("poke_interval=60", "poke_interval=1").replace("delay_seconds=60", "delay_seconds=1")
        assert self.text != text or program == "Dagster"
        self._log = folder / "log"

    def start(self, *line: str) -> "subprocess.Popen[bytes]":
        """Runs the venv's Python, with `cauce` as it was built here."""
        variables = {
            "PYTHONPATH": os.pathsep.join([str(Path(cauce.__file__).parents[1]), str(self.folder)]),
            "HOME": str(self.folder),
            "AIRFLOW_HOME": str(self.folder / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.folder / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "DAGSTER_HOME": str(self.folder),
            "DAGSTER_DISABLE_TELEMETRY": "yes",
            "PREFECT_HOME": str(self.folder / "prefect"),
            "DO_NOT_TRACK": "1",
        }
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [self.python, *line], env={**os.environ, **variables}, cwd=self.folder, stdout=log, stderr=log
            )

    def run(self, *line: str) -> None:
        """Runs it to its end, which must be a good one."""
        self.ended(self.start(*line))

    def ended(self, process: "subprocess.Popen[bytes]") -> None:
        """Waits for the good end of what was started."""
        try:
            assert process.wait(PATIENCE) == 0, self.said()
        finally:
            process.kill()
            process.wait()

    def said(self) -> str:
        """What was said so far."""
        return self._log.read_text(errors="replace")

    def until_said(self, words: str, process: "subprocess.Popen[bytes]") -> None:
        """Waits for words in the log."""
        end = time.monotonic() + PATIENCE
        while not re.search(words, self.said()):
            assert process.poll() is None, self.said()
            assert time.monotonic() < end, self.said()
            time.sleep(0.05)

    def close(self) -> None:
        """Closes the open hour, as an agent does."""
        key = self._builder.close(self._open, self._entries)
        path = self.lake / key
        path.with_suffix(".new").write_bytes(self._builder.objects[key])
        path.with_suffix(".new").rename(path)

    def converted(self) -> list[str]:
        """The hours whose Parquet is there."""
        return sorted(path.parent.name for path in self.parquet.rglob("tweets.parquet"))


def test_a_dag_of_airflow_waits_for_the_hour_and_converts_it(tmp_path: Path) -> None:
    world = World("Airflow", tmp_path)
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags/tweets.py").write_text(world.text)
    world.run("-m", "airflow", "db", "migrate")
    # The run after the hour's end is the run of that hour.
    world.run("-m", "airflow", "dags", "test", "tweets", "2026-11-22T06:00:00+00:00")
    assert world.converted() == ["hour=05"]
    waiting = world.start("-m", "airflow", "dags", "test", "tweets", "2026-11-22T07:00:00+00:00")
    world.until_said("(?i)rescheduling", waiting)
    assert world.converted() == ["hour=05"]
    world.close()
    world.ended(waiting)
    assert world.converted() == ["hour=05", "hour=06"]


DAGSTER = """
import datetime as dt, sys
import dagster as dg
import example
closed = lambda: {request.partition_key for request in example.closed_hours(dg.build_sensor_context())}
print(sorted(closed() & {"2026-11-22-05:00", "2026-11-22-06:00"}), flush=True)
with dg.DagsterInstance.ephemeral() as instance:
    for key in sys.argv[1:]:
        assert dg.materialize([example.tweets], partition_key=key, instance=instance).success
"""


def test_a_sensor_of_dagster_asks_for_the_hours_that_are_closed(tmp_path: Path) -> None:
    world = World("Dagster", tmp_path)
    # All days since the example was written, however many.
    (tmp_path / "example.py").write_text(world.text.replace("get_partition_keys()[-48:]", "get_partition_keys()[:48]"))
    world.run("-c", DAGSTER, "2026-11-22-05:00")
    assert "['2026-11-22-05:00']" in world.said()
    assert world.converted() == ["hour=05"]
    world.close()
    world.run("-c", DAGSTER)
    assert "['2026-11-22-05:00', '2026-11-22-06:00']" in world.said()


PREFECT = """
import datetime as dt, sys
from prefect.testing.utilities import prefect_test_harness
import example
with prefect_test_harness(server_startup_timeout=240):
    for hour in sys.argv[1:]:
        print(example.tweets(dt.datetime.fromisoformat(hour)), "rows", flush=True)
"""


def test_a_flow_of_prefect_waits_for_the_hour_and_converts_it(tmp_path: Path) -> None:
    world = World("Prefect", tmp_path)
    (tmp_path / "example.py").write_text(world.text)
    world.run("-c", PREFECT, "2026-11-22T05:00+00:00")
    assert "20 rows" in world.said()
    waiting = world.start("-c", PREFECT, "2026-11-22T06:00+00:00")
    world.until_said("2026-11-22T06 is not closed yet", waiting)
    world.close()
    world.ended(waiting)
    assert "5 rows" in world.said()
    assert world.converted() == ["hour=05", "hour=06"]
