"""The S3-shaped server for as long as a `with` lasts."""

import os
import pathlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from harness.processors import let_go


@contextmanager
def serving(program: pathlib.Path, folder: pathlib.Path, latency_ms: int) -> Iterator[str]:
    """Gives the server's URL. It ends when its standard input closes, so it cannot outlive this process."""
    env = dict(os.environ, LATENCY_MS=str(latency_ms))
    with subprocess.Popen([program, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True, preexec_fn=let_go) as server:
        assert server.stdin and server.stdout
        word, _, port = server.stdout.readline().strip().partition(" ")
        if word != "port":
            raise RuntimeError("the server did not start: its reason stands above")
        yield f"http://127.0.0.1:{port}"
        server.stdin.close()
