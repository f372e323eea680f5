"""The module itself: light to import, and as its stubs say."""

import subprocess
import sys
from pathlib import Path

import cauce

SOURCE = Path(__file__).resolve().parent.parent / "python"


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_an_import_starts_no_thread_and_brings_nothing_heavy() -> None:
    out = run(
        "import sys; before = set(sys.modules); import cauce, os;"
        "print(len(os.listdir('/proc/self/task')), sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    assert out.split()[0] == "1"
    assert not {"pyarrow", "datetime", "json", "typing", "asyncio", "boto3"} & set(out.replace("'", " ").split())


def test_an_import_takes_less_than_fifty_milliseconds() -> None:
    code = "import time; t = time.process_time(); import cauce; print(time.process_time() - t)"
    # The least of several: other programs on the machine must not count.
    assert min(float(run(code)) for _ in range(5)) < 0.05


def test_the_stubs_are_those_of_the_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "cauce", "--mypy-config-file", str(SOURCE.parent / "pyproject.toml")],
        capture_output=True,
        text=True,
        cwd=SOURCE.parent,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_names_are_listed_and_there() -> None:
    assert cauce.__all__ == sorted(cauce.__all__)
    assert all(hasattr(cauce, name) for name in cauce.__all__)
    assert cauce.__version__.count(".") == 2


def test_spark_that_is_missing_or_too_old_finds_no_source_and_no_error() -> None:
    # Spark imports every module called pyspark_…, and one that raises takes all other sources with it.
    out = run(
        "import sys; sys.modules['pyspark.sql.datasource'] = None; import pyspark_cauce; print(pyspark_cauce.__all__)"
    )
    assert out == "[]\n"
