"""A real S3 server, and servers that behave badly: the right error, naming the object, within its time."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import cauce
import pytest
from lakes import HOUR, START, Builder, S3Server, hours_from, joined, tweets

KEY = "11-22-05/tweets.1795323600001.json"


def a_lake() -> Builder:
    builder = Builder()
    for number, hour in enumerate(hours_from(START, 3)):
        builder.hour(hour, joined(tweets(300, number * 600)), joined(tweets(300, number * 600 + 300)))
    return builder


def test_a_bucket_is_read_as_a_folder_is(s3: S3Server) -> None:
    lake = cauce.Lake(a_lake().to_bucket(s3, "plain", "deep/er/"), endpoint_url=s3.url)
    assert [hour.tweets for hour in lake.hours()] == [600, 600, 600]
    assert list(lake.lines(lake.hours())) == tweets(1800)
    assert sum(len(batch) for batch in lake.batches(lake.hours(), ["tweet_id"])) == 1800
    assert lake.hour(HOUR).objects[0].url == f"s3://plain/deep/er/{KEY}"
    assert lake.hour(HOUR).open().read() == joined(tweets(600))
    with pytest.raises(cauce.HourNotFound, match="s3://plain/deep/er"):
        lake.hour("2027-01-01T00")


def test_the_server_may_come_from_a_variable(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUCE_LAKE__URL", a_lake().to_bucket(s3, "variable"))
    monkeypatch.setenv("CAUCE_LAKE__S3__ENDPOINT_URL", s3.url)
    assert len(cauce.Lake().hours()) == 3


def test_a_missing_bucket_is_no_lake(s3: S3Server) -> None:
    with pytest.raises(cauce.LakeNotFound, match="nowhere") as caught:
        cauce.Lake("s3://nowhere/x", endpoint_url=s3.url).hours()
    assert isinstance(caught.value, FileNotFoundError)


def test_an_object_that_is_deleted_while_it_is_read_is_raised_by_its_key(s3: S3Server) -> None:
    lake = cauce.Lake(a_lake().to_bucket(s3, "deleted"), endpoint_url=s3.url)
    hour = lake.hour(HOUR)
    s3.client().delete_object(Bucket="deleted", Key=hour.objects[1].key)
    read: list[bytes] = []
    lines = hour.lines()
    with pytest.raises(cauce.ObjectNotFound) as caught:
        read.extend(lines)
    assert caught.value.key == hour.objects[1].key
    assert "s3://deleted/" in str(caught.value)


@pytest.fixture(scope="module")
def strict() -> Iterator[S3Server]:
    """A server that checks who asks."""
    server = S3Server(os.environ)
    a_lake().to_bucket(server, "strict")
    urllib.request.urlopen(
        urllib.request.Request(f"{server.url}/moto-api/reset-auth", data=b"0", headers={"Content-Type": "text/plain"})
    ).close()
    yield server
    server.stop()


@pytest.mark.parametrize("explicit", [True, False])
def test_wrong_credentials_are_refused(strict: S3Server, explicit: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {"access_key_id": "AKIAWRONG", "secret_access_key": "hush"}
    if not explicit:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["access_key_id"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["secret_access_key"])
        keys = {}
    lake = cauce.Lake("s3://strict", endpoint_url=strict.url, **keys)  # type: ignore[arg-type]
    with pytest.raises(cauce.AccessDenied, match="strict") as caught:
        lake.hours()
    assert isinstance(caught.value, PermissionError)
    assert "hush" not in str(caught.value)


def test_without_credentials_the_error_says_how_to_give_some(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(cauce.AccessDenied, match="AWS_ACCESS_KEY_ID"):
        cauce.Lake("s3://whatever", endpoint_url=s3.url).hours()


def test_a_server_that_is_not_there_is_unreachable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(cauce.Unreachable) as caught:
            cauce.Lake("s3://bucket", endpoint_url=url).hours()
    assert isinstance(caught.value, ConnectionError)


class Stalling:
    """An S3 server that answers a GET of an object with half of its body, and then says nothing."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.body = joined(tweets(100))
        self.asked = threading.Event()
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as requests:
            while (line := requests.readline()).strip():
                while requests.readline().strip():
                    pass
                self.asked.set()
                if b"list-type=2" in line:
                    self._send(connection, b"200 OK", self._listing(line))
                elif b"_hours/" in line:
                    self._send(connection, b"404 Not Found", b"<Error><Code>NoSuchKey</Code></Error>")
                else:
                    head = b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: %d\r\n\r\n' % len(self.body)
                    connection.sendall(head + self.body[: len(self.body) // 2])

    def _listing(self, line: bytes) -> bytes:
        one = f"<Contents><Key>{KEY}</Key><Size>{len(self.body)}</Size><ETag>x</ETag></Contents>".encode()
        contents = b"" if b"_hours" in line else one
        return (
            b'<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            b"<IsTruncated>false</IsTruncated>" + contents + b"</ListBucketResult>"
        )

    @staticmethod
    def _send(connection: socket.socket, status: bytes, body: bytes) -> None:
        connection.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))

    def stop(self) -> None:
        self._socket.close()
        for connection in self._open:
            connection.close()


@pytest.fixture
def stalling() -> Iterator[Stalling]:
    server = Stalling()
    yield server
    server.stop()


@pytest.mark.parametrize("way", ["lines", "batches", "open"])
def test_a_server_that_stalls_is_given_up_within_the_time_limit(stalling: Stalling, way: str) -> None:
    hour = cauce.Lake("s3://bucket", endpoint_url=stalling.url, timeout=0.5).hour(HOUR)
    ways: dict[str, Any] = {
        "lines": lambda: list(hour.lines()),
        "batches": lambda: list(hour.batches(["tweet_id"])),
        "open": lambda: hour.open().read(),
    }
    began = time.monotonic()
    with pytest.raises(cauce.Timeout, match=KEY) as caught:
        ways[way]()
    assert time.monotonic() - began < 20
    assert caught.value.key == KEY
    assert isinstance(caught.value, TimeoutError)


STALLED = """
import sys, time, cauce

def through_pyarrow(hour):
    import pyarrow
    try:
        pyarrow.table(hour.batches(['tweet_id']))
    except pyarrow.ArrowInvalid as error:
        # pyarrow raises its own error for whatever a stream tells it; the interrupt comes with the next call.
        assert "KeyboardInterrupt" in str(error)

hour = cauce.Lake("s3://bucket", endpoint_url=sys.argv[1]).hour("2026-11-22T05")
lines = hour.lines()
for _ in range(10):
    next(lines)
print("reading", flush=True)
try:
    {wait}
except KeyboardInterrupt:
    print(time.monotonic(), flush=True)
"""
WAITS = {
    "lines": "list(lines)",
    "batches": "list(hour.batches(['tweet_id'], batch_rows=1))",
    "pyarrow": "through_pyarrow(hour)",
}


@pytest.mark.parametrize("wait", WAITS)
def test_ctrl_c_is_answered_while_a_server_stalls(stalling: Stalling, wait: str) -> None:
    code = STALLED.format(wait=WAITS[wait])
    program = subprocess.Popen([sys.executable, "-c", code, stalling.url], stdout=subprocess.PIPE, text=True)
    try:
        assert program.stdout is not None
        assert program.stdout.readline() == "reading\n"
        # It is told before it waits; a moment later it does, and if it does not yet, that is answered as well.
        time.sleep(0.5)
        sent = time.monotonic()
        program.send_signal(signal.SIGINT)
        answered = program.stdout.readline()
        assert answered, "it ended without KeyboardInterrupt"
        assert float(answered) - sent < 0.5
    finally:
        program.kill()
        program.communicate()
