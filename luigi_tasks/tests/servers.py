"""The servers that the tests talk to: moto's S3 and luigid, each a process of its own on a free port of the loopback."""

import json
import os
import pathlib
import re
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

import boto3
import psutil

BIN = pathlib.Path(sys.executable).parent
# Seconds after which something that should happen is taken for never happening; it is no measure of speed.
PATIENCE = 180.0

LUIGID = """\
[scheduler]
state_path = {folder}/state.pickle
record_task_history = true
metrics_collector = custom
metrics_custom_import = luigi_tasks.metrics.Collector

[task_history]
db_connection = sqlite:///{folder}/history.db
"""


def until(what: str, true: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Waits until something is so, and gives what said so."""
    end = time.monotonic() + patience
    while not (found := true()):
        assert time.monotonic() < end, f"not within {patience} s: {what}"
        time.sleep(0.02)
    return found


class Server:
    """A process that listens on a port of its own choice."""

    def __init__(self, log: pathlib.Path) -> None:
        self.log = log
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, command: list[str], environment: dict[str, str] | None = None) -> None:
        """Starts it, and waits for its port."""
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(environment or {})},
                cwd=self.log.parent,
            )
        try:
            self.port = until(f"{command[0]} listens", self._listening)
        except BaseException:
            self.stop()
            raise

    def _listening(self) -> int:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        for connection in psutil.Process(self._process.pid).net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN:
                return int(connection.laddr.port)
        return 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Ends it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __exit__(self, *_: object) -> None:
        self.stop()


class Moto(Server):
    """moto's S3 server. Its log has a line for each request."""

    def __enter__(self) -> "Moto":
        self.start([str(BIN / "moto_server"), "-H", "127.0.0.1", "-p", "0"])
        return self

    def variables(self) -> dict[str, str]:
        """What lets `ingest` and AWS's clients talk to it."""
        return {
            "CAUCE_LAKE__S3__ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def client(self) -> Any:
        """boto3, for what the tests themselves put and read."""
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        return boto3.client("s3", endpoint_url=self.url, **keys)

    def make_bucket(self, name: str) -> str:
        """Makes an empty bucket."""
        self.client().create_bucket(Bucket=name)
        return name

    def requests(self, bucket: str) -> list[str]:
        """The requests for a bucket so far, as `GET /bucket?list-type=2&prefix=…`."""
        found = re.findall(r'"(?:\x1b\[[\d;]*m)*([A-Z]+ \S+) HTTP/1\.1', self.log.read_text())
        return [request for request in found if re.match(rf"[A-Z]+ /{bucket}(/|\?|$)", request)]


class Luigid(Server):
    """luigi's central scheduler."""

    def __init__(self, folder: pathlib.Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        super().__init__(folder / "luigid.log")

    def __enter__(self) -> "Luigid":
        config = self.folder / "luigid.cfg"
        config.write_text(LUIGID.format(folder=self.folder))
        self.start([str(BIN / "luigid"), "--address", "127.0.0.1", "--port", "0"], {"LUIGI_CONFIG_PATH": str(config)})
        return self

    def get(self, path: str) -> str:
        """A page."""
        with urlopen(f"{self.url}{path}", timeout=PATIENCE) as answer:
            text: str = answer.read().decode()
        return text

    def tasks(self, status: str = "") -> dict[str, dict[str, Any]]:
        """The tasks that it knows, by id."""
        data = quote(json.dumps({"status": status, "upstream_status": ""}))
        try:
            tasks: dict[str, dict[str, Any]] = json.loads(self.get(f"/api/task_list?data={data}"))["response"]
        except URLError:
            return {}
        return tasks
