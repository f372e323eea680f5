"""Lakes for the tests, written by the documented format (docs/lake-format.md), and servers of S3 to keep them in."""

import base64
import gzip
import hashlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3

START = datetime(2026, 11, 22, 5, tzinfo=UTC)
HOUR = "2026-11-22T05"


def name_of(hour: datetime) -> str:
    return hour.strftime("%Y-%m-%dT%H")


def hours_from(start: datetime, count: int) -> list[datetime]:
    return [start + timedelta(hours=number) for number in range(count)]


def tweet(number: int, text: str = "hola") -> bytes:
    """A line of the v2 stream."""
    post = {
        "id": str(2**53 + number),
        "text": text,
        "created_at": "2026-11-22T05:00:00.000Z",
        "author_id": "7",
        "public_metrics": {"retweet_count": number, "reply_count": 0, "like_count": 0, "quote_count": 0},
    }
    users = [{"id": "7", "username": "ana", "name": "Ana"}]
    return json.dumps({"data": post, "includes": {"users": users}}).encode()


def tweets(count: int, first: int = 0) -> list[bytes]:
    return [tweet(first + number, f"ñandú {first + number} 🐦") for number in range(count)]


def joined(lines: Iterable[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def _crc64_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x9A6C9329AC4BC9B5 if value & 1 else 0)
        table.append(value)
    return table


CRC64 = _crc64_table()


def crc64nvme(stored: bytes) -> str:
    """The checksum in a manifest, in the form in which S3 tells it."""
    crc = 2**64 - 1
    for byte in stored:
        crc = (crc >> 8) ^ CRC64[(crc ^ byte) & 0xFF]
    return base64.b64encode((crc ^ (2**64 - 1)).to_bytes(8)).decode()


class Builder:
    """The objects of a lake, put into a folder or a bucket when they are complete."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self._number = 0

    def _entry(self, folder: str, hour: datetime, body: bytes, codec: str) -> dict[str, Any]:
        self._number += 1
        moment = int(hour.timestamp()) * 1000 + self._number
        ending = {"none": "", "gzip": ".gz", "zstd": ".zst"}[codec]
        stored = gzip.compress(body) if codec == "gzip" else body
        key = f"{folder}/tweets.{moment}.json{ending}"
        self.objects[key] = stored
        lines = body.count(b"\n") + (not body.endswith(b"\n"))
        return {
            "key": key,
            "bytes": len(stored),
            "lines": lines,
            "sha256": hashlib.sha256(stored).hexdigest(),
            **({"crc64nvme": crc64nvme(stored)} if len(stored) < 1 << 16 else {}),
            "codec": codec,
            "path": "stream",
            "arrivals": [[int(hour.timestamp()) + 1, lines]] if lines else [],
        }

    def open_hour(self, hour: datetime, *bodies: bytes, codec: str = "none") -> list[dict[str, Any]]:
        """An hour that is still written: objects without a manifest."""
        return [self._entry(hour.strftime("%m-%d-%H"), hour, body, codec) for body in bodies]

    def close(self, hour: datetime, entries: list[dict[str, Any]], late: int = 0, **more: Any) -> str:
        """The manifest of an hour, or of its late tweets."""
        manifest = {
            "version": 1,
            "hour": name_of(hour),
            "agent": "agent",
            "epoch": 1,
            "guarantee": "exactly-once",
            "objects": entries,
            "messages": [],
            "tweets": sum(entry["lines"] for entry in entries),
            "duplicates": 0,
            "gaps": [],
            "repairs": [],
            "opened_at": hour.isoformat().replace("+00:00", "Z"),
            "closed_at": (hour + timedelta(hours=1, seconds=2)).isoformat().replace("+00:00", "Z"),
            "tool_version": "cauce 0.1.0",
            **more,
        }
        key = f"_hours/{name_of(hour)}.late-{late}.json" if late else f"_hours/{name_of(hour)}.json"
        self.objects[key] = json.dumps(manifest).encode() + b"\n"
        return key

    def hour(self, hour: datetime, *bodies: bytes, codec: str = "none", **more: Any) -> list[dict[str, Any]]:
        """A closed hour of an object a body."""
        entries = self.open_hour(hour, *bodies, codec=codec)
        self.close(hour, entries, **more)
        return entries

    def change(self, key: str) -> None:
        """One bit in the middle of an object, after it was listed; one of a text in plain lines, which stay JSON."""
        body = bytearray(self.objects[key])
        middle = len(body) // 2
        body[max(body.find(b"and", middle), middle)] ^= 1
        self.objects[key] = bytes(body)

    def late(self, hour: datetime, number: int, *bodies: bytes) -> None:
        folder = "late/" + hour.strftime("%m-%d-%H")
        self.close(hour, [self._entry(folder, hour, body, "none") for body in bodies], late=number)

    def to_folder(self, root: Path) -> Path:
        for key, body in self.objects.items():
            path = root / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        return root

    def to_bucket(self, server: "S3Server", bucket: str, prefix: str = "") -> str:
        client = server.client()
        client.create_bucket(Bucket=bucket)
        for key, body in self.objects.items():
            client.put_object(Bucket=bucket, Key=prefix + key, Body=body)
        return f"s3://{bucket}/{prefix}".rstrip("/")


SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


class S3Server:
    """moto's server in a process of its own, which ends with its standard input."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**environment, "MOTO_PORT": "0"},
        )
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process.wait(timeout=20)


# The shell becomes the program, and what it leaves behind ends it when standard input ends.
WITH_INPUT = 'exec 3<&0; { cat >/dev/null; kill -9 $$; } <&3 >/dev/null 2>&1 & exec "$@" </dev/null 3<&-'
START_LIMIT = 60.0


class GoS3Server(S3Server):
    """VersityGW, an independent S3 server in Go, over a folder. `CAUCE_TEST_GO_S3` names the program."""

    def __init__(self, program: Path, folder: Path, environment: Mapping[str, str]) -> None:
        (folder / "data").mkdir()
        # It cannot say which port it took when any will do.
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        gateway = [str(program), "--port", f"127.0.0.1:{port}", "--region", "us-east-1", "--quiet", "--keep-alive"]
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", WITH_INPUT, "sh", *gateway, "posix", str(folder / "data")],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**environment, "ROOT_ACCESS_KEY_ID": "test", "ROOT_SECRET_ACCESS_KEY": "test"},
            )
        self.url = f"http://127.0.0.1:{port}"
        begun = time.monotonic()
        while not _answers(port):
            words = (folder / "log").read_text(errors="replace")
            assert self._process.poll() is None, f"{program} does not start: {words}"
            assert time.monotonic() - begun < START_LIMIT, f"{program} does not answer: {words}"
            time.sleep(0.02)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
