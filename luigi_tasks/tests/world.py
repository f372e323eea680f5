"""A folder in which luigi is run as its users run it, and `ingest` to fill a lake."""

import datetime as dt
import json
import os
import pathlib
import subprocess
import sys
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from servers import PATIENCE, Luigid, Moto

ROOT = pathlib.Path(__file__).resolve().parents[2]
INGEST = pathlib.Path(os.environ.get("INGEST", ROOT / "target/debug/ingest")).absolute()

CONFIG = """\
[agent]
id = "test"

[source]
type = "files"
paths = ["{archive}"]

[spool]
dir = "{spool}"

[lake]
url = "{lake}"
pattern = "%m-%d-%h"
partition_by = "created_at"

[status]
listen = "127.0.0.1:0"
"""


def clean_environment(more: dict[str, str] | None = None) -> dict[str, str]:
    """Without the settings of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CAUCE_", "AWS_", "LUIGI_", "X_"))}
    return {**kept, "AWS_EC2_METADATA_DISABLED": "true", **(more or {})}


def ingest_files(archive: pathlib.Path, lake: str, folder: pathlib.Path, variables: dict[str, str] | None = None) -> None:
    """Lays an archive down as a lake; every hour in it is closed at the end."""
    config = folder / "cauce.toml"
    config.write_text(CONFIG.format(archive=archive.as_posix(), spool=(folder / "spool").as_posix(), lake=lake))
    done = subprocess.run([INGEST, "run", "-c", config], env=clean_environment(variables), capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr


@dataclass
class World:
    """Where things are, and how luigi is started."""

    folder: pathlib.Path
    lake: str
    parquet: str = ""
    reports: str = ""
    moto: Moto | None = None
    endpoint: str = ""
    # Over the keys and the address of the S3 server, which are then not given.
    variables: dict[str, str] | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self.parquet = self.parquet or str(self.folder / "parquet")
        self.reports = self.reports or str(self.folder / "reports")

    def configure(self, luigid: Luigid | None, more: str = "") -> pathlib.Path:
        """Writes luigi.cfg, in the form of the example of the package."""
        lines = ["[cauce]", f"lake = {self.lake}", "pattern = %m-%d-%h", f"parquet = {self.parquet}", f"reports = {self.reports}"]
        if self.moto and self.variables is None:
            lines += [f"endpoint_url = {self.endpoint or self.moto.url}", "region = us-east-1"]
        lines += ["[core]", "autoload_range = false"]
        if luigid:
            lines += ["scheduler_host = 127.0.0.1", f"scheduler_port = {luigid.port}"]
        lines += [
            "[worker]",
            "task_process_context = luigi_tasks.progress.ReportStatistics",
            "wait_interval = 0.1",
            "wait_jitter = 0.1",
        ]
        lines += ["[retcode]", "already_running = 10", "missing_data = 20", "not_run = 25", "task_failed = 30"]
        lines += ["scheduling_error = 35", "unhandled_exception = 40", more]
        path = self.folder / "luigi.cfg"
        path.write_text("\n".join(lines) + "\n")
        return path

    def start(self, *args: str, luigid: Luigid | None = None, more: str = "", module: str = "luigi_tasks") -> "subprocess.Popen[bytes]":
        """Starts luigi; what it says is in `said()`."""
        config = self.configure(luigid, more)
        tests = pathlib.Path(__file__).parent
        self.notes.mkdir(exist_ok=True)
        variables = {
            "LUIGI_CONFIG_PATH": str(config),
            "PYTHONPATH": os.pathsep.join([str(tests), str(tests / "watched")]),
            "PYTHONUNBUFFERED": "1",
            "WATCHED": str(self.notes),
        }
        if self.variables is not None:
            variables |= self.variables
        elif self.moto:
            variables |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        scheduler = [] if luigid else ["--local-scheduler"]
        command = [sys.executable, "-m", "luigi", "--module", module, *args, *scheduler]
        with (self.folder / "luigi.log").open("wb") as log:
            return subprocess.Popen(
                command, cwd=self.folder, env=clean_environment(variables), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def said(self) -> str:
        """What the last luigi has said."""
        return (self.folder / "luigi.log").read_text(errors="replace")

    def luigi(self, *args: str, luigid: Luigid | None = None, more: str = "", module: str = "luigi_tasks") -> tuple[int, str]:
        """Runs luigi to its end, and gives the exit code and what it said."""
        process = self.start(*args, luigid=luigid, more=more, module=module)
        try:
            process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()
        assert self.watched(), "no process has written down its connections"
        return process.returncode, self.said()

    @property
    def notes(self) -> pathlib.Path:
        """Where the processes of luigi write down their connections (`watched/sitecustomize.py`)."""
        return self.folder / "watched"

    def watched(self) -> list[dict[str, Any]]:
        """What the processes of luigi that have ended wrote down, after a look that none but `cauce` has reached for S3."""
        notes = [json.loads(path.read_text()) for path in self.notes.glob("*.json")]
        stores = [self.moto.url, self.endpoint] if self.moto else []
        ports = {urlsplit(url).port for url in stores if url}
        for note in notes:
            assert not note["arrow_s3"], f"pyarrow has opened S3: {note}"
            reached = [thread for thread, address in note["connected"] if isinstance(address, list) and address[1] in ports]
            assert not reached, f"Python's own sockets have reached the S3 server: {note}"
        return notes


def text(hour: dt.datetime) -> str:
    """An hour as luigi takes it."""
    return f"{hour:%Y-%m-%dT%H}"
