"""What it ran on: processor, memory, versions. No names of hosts or folders."""

import os
import pathlib
import platform
import re
import subprocess

PEERS = ["duckdb", "polars", "pyarrow", "orjson", "pyspark", "obstore", "boto3", "luigi", "s3fs"]


def described(python: pathlib.Path, repository: pathlib.Path) -> dict[str, str]:
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    model = re.search(r"model name\s*:\s*(.+)", cpuinfo.read_text()) if cpuinfo.exists() else None
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cores": str(os.cpu_count()),
        "processor": model.group(1) if model else platform.machine(),
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "Rust": spoken(["rustc", "--version"]).removeprefix("rustc ").split(" ")[0],
        "Python": platform.python_version(),
        "Cauce": spoken(["git", "-C", str(repository), "describe", "--always", "--dirty"]),
        "peers": peers(python),
    }


def peers(python: pathlib.Path) -> str:
    code = "import importlib.metadata as m, sys\nfor n in sys.argv[1:]:\n    try: print(n, m.version(n), end=', ')\n    except m.PackageNotFoundError: pass"
    return spoken([str(python), "-c", code, *PEERS]).strip(" ,")


def spoken(command: list[str]) -> str:
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
