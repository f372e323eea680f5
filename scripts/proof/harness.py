"""What the long proofs share: programs that never outlive their script, an agent's numbers, and the oracle, which reads
manifests and the objects they list and nothing else."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
INGEST = pathlib.Path(os.environ.get("INGEST", ROOT / "target/release/ingest")).absolute()
SERVER = pathlib.Path(os.environ.get("S3_SERVER", ROOT / ".testbin/versitygw")).absolute()
REGION = "us-east-1"
# What the S3 server on loopback asks for; it is no secret.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "cauce-proof", "AWS_SECRET_ACCESS_KEY": "only-for-loopback"}
PATIENCE = 120  # seconds: a busy machine may be slow, a hanging one must not hang the proof


class Failed(Exception):
    """The proof did not hold, or could not be made."""


class Running:
    """A program with a log in the proof's folder."""

    def __init__(self, name: str, folder: pathlib.Path, command: list, variables: dict[str, str]):
        self.name, self.log = name, folder / f"{name}.log"
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("CAUCE_", "X_", "AWS_"))}
        self.begin = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(part) for part in command], cwd=folder, env=kept | variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def said(self) -> str:
        """What it has written since its start."""
        with self.log.open("rb") as log:
            log.seek(self.begin)
            return log.read().decode(errors="replace")

    def line(self, pattern: str) -> re.Match:
        """Waits for a line."""
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE:
            if found := re.search(pattern, self.said()):
                return found
            self.check()
            time.sleep(0.02)
        raise Failed(f"{self.name} did not say {pattern!r}: see {self.log}")

    def check(self) -> None:
        if self.process.poll() is not None:
            raise Failed(f"{self.name} ended by itself with {self.process.returncode}: see {self.log}")

    def memory(self) -> tuple[int, int]:
        """Resident now and at most so far, in bytes; zeros where it has just ended."""
        try:
            status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return 0, 0
        sizes = {name: int(kib) * 1024 for name, kib in re.findall(r"(VmRSS|VmHWM):\s+(\d+) kB", status)}
        return sizes.get("VmRSS", 0), sizes.get("VmHWM", 0)

    def stop(self) -> float:
        """Asks it to stop; how many seconds it took."""
        self.check()
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} did not end within {PATIENCE} s of SIGTERM: see {self.log}") from None
        if code != 0:
            raise Failed(f"{self.name} ended with exit code {code}: see {self.log}")
        return time.monotonic() - began

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class S3Server:
    """A real S3 server on loopback, over a folder in which each bucket is a folder and each object a file. It can be killed and
    started again on the same port."""

    def __init__(self, folder: pathlib.Path, bucket: str, running: list[Running]):
        if not os.access(SERVER, os.X_OK):
            raise Failed(f"{SERVER} is not there: `make test` installs it where there is Go, or name another by S3_SERVER")
        self.folder, self.bucket, self.running = folder, folder / "store" / bucket, running
        self.bucket.mkdir(parents=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        """Starts it and waits until it answers."""
        key, secret = CREDENTIALS.values()
        command = [SERVER, "--port", f"127.0.0.1:{self.port}", "--region", REGION, "--quiet", "posix", self.bucket.parent]
        variables = {"ROOT_ACCESS_KEY_ID": key, "ROOT_SECRET_ACCESS_KEY": secret}
        self.server = Running("store", self.folder, command, variables)
        self.running.append(self.server)
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE:
            self.server.check()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise Failed("the S3 server does not answer")

    def kill(self) -> None:
        self.server.kill()


def clean_folder(folder: pathlib.Path) -> None:
    """Removes what an earlier proof left, and nothing else."""
    mark = folder / ".made-by-a-proof"
    if folder.exists() and any(folder.iterdir()):
        if not mark.exists():
            raise Failed(f"{folder} is not empty and no proof made it: name another folder")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    mark.touch()


def need_program() -> None:
    if not os.access(INGEST, os.X_OK):
        raise Failed(f"{INGEST} is not there: `make build` makes it")


def numbers(agent: Running) -> dict[str, float]:
    """The agent's numbers; empty while nobody answers."""
    found = re.search(r"status page.* address=(http://\S+)", agent.said())
    if not found:
        return {}
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        text = opener.open(f"{found.group(1)}/metrics", timeout=10).read().decode()
    except OSError:
        return {}
    pairs = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, value in pairs if re.fullmatch(r"[-+.eE0-9]+", value)}


def truth(path: pathlib.Path) -> list[tuple[int, int]]:
    """Id and connection of every tweet that was handed to a socket, in order."""
    text = path.read_text()
    whole = text[: text.rfind("\n") + 1]
    return [(int(fields[0]), int(fields[2])) for fields in (line.split("\t") for line in whole.splitlines())]


def tweet_id(line: bytes) -> int:
    tweet = json.loads(line)
    return int(tweet["data"]["id"] if "data" in tweet else tweet["id_str"])


class Listed:
    """What the manifests of a lake list that lies in a folder."""

    def __init__(self, lake: pathlib.Path):
        self.ids: list[int] = []
        self.manifests = self.objects = 0
        for path in sorted((lake / "_hours").glob("*.json")):
            manifest = json.loads(path.read_text())
            self.manifests += 1
            for entry in manifest["objects"]:
                self.objects += 1
                content = (lake / entry["key"]).read_bytes()
                if len(content) != entry["bytes"] or not content.endswith(b"\n"):
                    raise Failed(f"{entry['key']} is not what its manifest says")
                self.ids.extend(tweet_id(line) for line in content.splitlines())


def mib(size: float) -> str:
    return f"{size / 2**20:.1f} MiB"


def run(proof, running: list[Running]) -> int:
    """Runs a proof to its end, whatever becomes of it; the exit code."""
    try:
        need_program()
        proof(running)
    except (Failed, OSError, subprocess.TimeoutExpired) as error:
        print(f"\nthe proof failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        for program in running:
            program.kill()
    return 0
