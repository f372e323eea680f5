"""The environment under test: a copy of the tree, the commands on it, and what is known of its containers."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

HERE = pathlib.Path(__file__).resolve().parent
PROJECT = "ambiente"
LASTING = ["ingest", "s3", "x_simulator", "luigi_server", "luigi_worker", "master", "worker"]
# A secret of the user's own, which no image may hold.
GIVEN = "x_bearer_token"
SPEEDUP = 120
# Seconds: a busy machine may be slow, a hanging one must not hang the test.
PATIENCE = 600


class Failed(Exception):
    """The environment does not keep a promise, or the test could not look."""


def say(text: str) -> None:
    print(f"docker-test: {text}", flush=True)


def files(root: pathlib.Path) -> list[str]:
    """Tracked files, and new ones that are not ignored."""
    command = ["git", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, check=True, capture_output=True).stdout.decode().split("\0")
    return [name for name in names if name and (root / name).is_file()]


class Environment:
    """A copy of the repository and the containers that are made from it."""

    def __init__(self, folder: pathlib.Path, compose: list[str]):
        self.folder, self._compose = folder, compose
        self.compose_command = " ".join(compose)
        # Lateness is short, so that the last hours close soon after the stream's end; TRUTH notes what is sent.
        self.variables = {"TRUTH": "1", "RATE": "300", "SPEEDUP": str(SPEEDUP)}
        self.variables |= {"ALLOWED_LATENESS": "60s", "HOURLY_EVERY": "10", "COMPOSE_HTTP_TIMEOUT": "300"}
        if os.environ.get("DOCKER_TEST_PREBUILT"):
            self.variables |= {"PREBUILT": "1", "BUILDER": "dpa/base"}

    def run(self, *command: str, limit: float = PATIENCE, given: str | None = None) -> str:
        """Runs a command in the copy; its standard output. Standard error is shown when it fails."""
        done = subprocess.run(
            command, cwd=self.folder, env=os.environ | self.variables, input=given, capture_output=True, text=True, timeout=limit, check=False
        )
        if done.returncode != 0:
            raise Failed(f"`{' '.join(command)}` ended with {done.returncode}: {(done.stdout + done.stderr)[-3000:]}")
        return done.stdout

    def compose(self, *words: str, limit: float = PATIENCE) -> str:
        return self.run(*self._compose, *words, limit=limit)

    def tries(self, *words: str) -> bool:
        try:
            self.compose(*words)
        except (Failed, subprocess.TimeoutExpired):
            return False
        return True

    def refuse_a_running_one(self) -> None:
        mine = f"label=com.docker.compose.project={PROJECT}"
        there = self.run("docker", "ps", "-aq", "--filter", mine) + self.run("docker", "volume", "ls", "-q", "--filter", mine)
        if there.strip():
            raise Failed(f"containers or volumes of {PROJECT} are on this machine: this test would end with their removal")

    def container(self, service: str) -> str:
        return f"{PROJECT}_{service}_1"

    def inspected(self, service: str) -> dict:
        return json.loads(self.run("docker", "inspect", self.container(service)))[0]

    def inside(self, service: str, *command: str, given: str | None = None, limit: float = PATIENCE) -> str:
        return self.run("docker", "exec", "-i", self.container(service), *command, limit=limit, given=given)

    def oracle(self, question: str, *words: str) -> dict:
        code = (HERE / "oracle.py").read_text()
        return json.loads(self.inside("luigi_worker", "python3", "-", question, *words, given=code))

    def wait_healthy(self, *services: str) -> float:
        """Waits until these services are healthy; how many seconds it took."""
        return wait(f"{', '.join(services)} healthy", lambda: all(self.is_healthy(service) for service in services))

    def is_healthy(self, service: str) -> bool:
        state = self.inspected(service)["State"]
        return state["Running"] and state["Health"]["Status"] == "healthy"

    def started(self, service: str) -> str:
        """When its container was last started."""
        return self.inspected(service)["State"]["StartedAt"]

    @contextlib.contextmanager
    def keeper(self) -> Iterator[Callable[[], list[str]]]:
        """keep-up at work, from the copy; what it has said so far."""
        command = [sys.executable, str(self.folder / "scripts/docker/keep-up")]
        with tempfile.TemporaryFile("a+") as said:
            running = subprocess.Popen(command, env=os.environ | self.variables, stdout=said, stderr=subprocess.STDOUT)

            def lines() -> list[str]:
                said.seek(0)
                return said.read().splitlines()

            try:
                yield lines
                if running.poll() is not None:
                    raise Failed(f"keep-up ended with {running.returncode}: {lines()}")
            finally:
                running.terminate()
                running.wait(60)

    def show_logs(self) -> None:
        for service in ["secrets", "bucket", *LASTING]:
            done = subprocess.run(["docker", "logs", "--tail", "25", self.container(service)], capture_output=True, text=True, check=False)
            print(f"--- {service}\n{done.stdout}{done.stderr}", flush=True)


def wait(what: str, is_so: Callable[[], bool], patience: float = PATIENCE) -> float:
    began = time.monotonic()
    while time.monotonic() - began < patience:
        if is_so():
            return time.monotonic() - began
        time.sleep(0.5)
    raise Failed(f"after {patience:.0f} s: not yet {what}")
