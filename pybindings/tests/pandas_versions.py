"""Programs over pandas 2 and 3: the newer one is the venv's, the older one lies in a folder of its own beside it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

VERSIONS = ("2", "3")
PANDAS_2 = Path(os.environ.get("CAUCE_TEST_PANDAS_2") or Path(sys.prefix) / "pandas-2")


def run(version: str, program: str, *arguments: object) -> str:
    """What a program prints, whose `pandas` is of a major version; the test is left out where that is not installed."""
    paths = [str(Path(__file__).parent)]
    if version == "2":
        if not (PANDAS_2 / "pandas").is_dir():
            pytest.skip(f"there is no pandas 2 in {PANDAS_2}: make test-python installs it")
        paths.insert(0, str(PANDAS_2))
    check = f"import pandas\nassert pandas.__version__.startswith('{version}.'), pandas.__version__\n"
    done = subprocess.run(
        [sys.executable, "-c", check + program, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
