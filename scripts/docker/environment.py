"""The environment under test: its commands, what is known of its containers, and the proof itself. The oracle (oracle.py) runs inside the
worker's container and reads manifests, objects and Parquet; what was sent is known from the simulator's own notes."""

import json
import os
import pathlib
import subprocess
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
PROJECT = "ambiente"
WORKER = "ambiente_luigi_worker_1"
LASTING = ["ingest", "s3", "x_simulator", "luigi_server", "luigi_worker", "master", "worker"]
# A secret of the user's own, which no image may hold.
GIVEN = "x_bearer_token"
LOGS = {"Type": "json-file", "Config": {"max-file": "3", "max-size": "10m"}}
# A tweet that the simulator wrote into a connection is accepted when the agent has it on disk; a kill cuts off what lies between. More
# seconds of the stream than these cannot lie there, so that a longer end would be accepted tweets that are gone.
CUT_S = 5
SPEEDUP = 120
# Seconds: a busy machine may be slow, a hanging one must not hang the test.
PATIENCE = 600
OLD_PACKAGES = "com.amazonaws:aws-java-sdk-pom:1.10.34,org.apache.hadoop:hadoop-aws:2.6.0"
AGENT = [
    *("flume-ng", "agent", "-n", "TwitterAgent", "-c", "/usr/flume/apache-flume-1.6.0-bin/conf"),
    *("-f", "/home/flume/twitter.conf", "-Dflume.root.logger=INFO,console"),
]


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

    def show_logs(self) -> None:
        for service in ["secrets", "bucket", *LASTING]:
            done = subprocess.run(["docker", "logs", "--tail", "25", self.container(service)], capture_output=True, text=True, check=False)
            print(f"--- {service}\n{done.stdout}{done.stderr}", flush=True)


def wait(what: str, is_so, patience: float = PATIENCE) -> float:
    began = time.monotonic()
    while time.monotonic() - began < patience:
        if is_so():
            return time.monotonic() - began
        time.sleep(0.5)
    raise Failed(f"after {patience:.0f} s: not yet {what}")


def prove(there: Environment) -> None:
    build(there)
    start(there)
    look_from_outside(there)
    commands(there)
    faults(there)
    count(there)
    down_and_up(there)


def build(there: Environment) -> None:
    for words in (["docker", "build", "--force-rm", "-t", "dpa/base", "docker-images/base"], ["docker-compose", "build", "--force-rm"]):
        began = time.monotonic()
        there.compose(*words[1:], limit=5400) if words[0] == "docker-compose" else there.run(*words, limit=1800)
        say(f"{' '.join(words)}: {time.monotonic() - began:.0f} s")
    sizes = there.run("docker", "images", "--format", "{{.Repository}} {{.Size}}").splitlines()
    say("images: " + ", ".join(sorted(line for line in sizes if line.startswith(("dpa/", "debian")))))


def start(there: Environment) -> None:
    began = time.monotonic()
    there.compose("up", "-d")
    say(f"docker-compose up -d: {time.monotonic() - began:.0f} s")
    there.wait_healthy(*LASTING)
    say(f"all healthy: {time.monotonic() - began:.0f} s after up")
    wait("the first hour's Parquet", lambda: there.oracle("parquet")["hours"])
    say(f"the first closed hour's Parquet: {time.monotonic() - began:.0f} s after up, nothing touched")


def look_from_outside(there: Environment) -> None:
    """No root, no secret in what Docker tells, no port beyond loopback."""
    place = "/var/lib/cauce/secrets"
    secrets = [there.inside("master", "cat", f"{place}/spark/secret").strip()]
    secrets += [line.split("= ")[1] for line in there.inside("ingest", "cat", f"{place}/lake/credentials").splitlines() if "= " in line]
    for service in [*LASTING, "secrets", "bucket"]:
        told = there.inspected(service)
        if (user := told["Config"]["User"]) in ("", "0", "root") or user.startswith(("0:", "root:")):
            raise Failed(f"{service} runs as root")
        if any(secret in json.dumps(told) for secret in secrets):
            raise Failed(f"docker inspect {service} shows a secret")
        for port, hosts in (told["HostConfig"]["PortBindings"] or {}).items():
            if any(host["HostIp"] != "127.0.0.1" for host in hosts):
                raise Failed(f"{service}: port {port} is published beyond loopback")
        if told["HostConfig"]["LogConfig"] != LOGS:
            raise Failed(f"{service}: its log is kept as {told['HostConfig']['LogConfig']}")
    for image in {there.inspected(service)["Image"] for service in LASTING}:
        layers = there.run("docker", "history", "--no-trunc", image)
        # The copy holds such a file, which must not have come into an image.
        names = there.run("docker", "run", "--rm", "--network", "none", "--entrypoint", "sh", image, "-c", f"find / -xdev -name {GIVEN} 2>/dev/null || true")
        if any(secret in layers for secret in secrets) or names.strip():
            raise Failed(f"image {image} holds a secret {names}")
    for service in LASTING:
        if there.inside(service, "id", "-u").strip() == "0":
            raise Failed(f"{service} runs as root")
        environment = there.inside(service, "sh", "-c", "for p in /proc/[0-9]*; do tr '\\0' '\\n' <$p/environ; done 2>/dev/null || true")
        # Spark hands its own secret to an executor this way, inside the container; S3's stand-in takes its keys so.
        if any(secret in environment for secret in secrets) and service not in ("worker", "s3"):
            raise Failed(f"{service} has a secret in its environment")
    for port, page in {9108: "metrics", 8080: "json/", 8081: "json/", 8082: "static/visualiser/index.html"}.items():
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://127.0.0.1:{port}/{page}", timeout=30).read()
    say("no root, no secret in images, environments or what inspect tells, ports on loopback alone, logs bounded, all pages answer")


def commands(there: Environment) -> None:
    """The commands as people type them."""
    told = there.inspected("ingest")["Config"]
    if told["Cmd"] != AGENT:
        raise Failed(f"the agent's command is {told['Cmd']}")
    there.inside("ingest", *AGENT, "--dryrun")
    shell = there.run("docker", "exec", "-i", WORKER, "/bin/bash", given="ingest hours && luigi --module luigi_tasks ParquetHour --help && type pyspark\n")
    if "closed" not in shell:
        raise Failed(f"the worker's shell says {shell}")
    asked = """
hours = spark.read.format("cauce").load()
print("ANSWER", hours.count())
print("ANSWER", spark.read.parquet(__import__("os").environ["PARQUET_URL"]).count())
print("ANSWER", spark.sparkContext.getConf().get("spark.authenticate"), spark.sparkContext.master)
"""
    # -i: the shell takes what comes from a pipe as if it was typed.
    shell = ["docker", "exec", "-i", "-e", "PYSPARK_DRIVER_PYTHON_OPTS=-i", WORKER, "pyspark", "--master", "spark://master:7077"]
    began, before = time.monotonic(), there.oracle("manifests")
    answers = [line.split()[1:] for line in there.run(*shell, "--packages", OLD_PACKAGES, given=asked).splitlines() if line.startswith("ANSWER")]
    after = there.oracle("manifests")
    if len(answers) != 3 or answers[2] != ["true", "spark://master:7077"]:
        raise Failed(f"pyspark answers {answers}")
    if not before["lines"] <= int(answers[0][0]) <= after["lines"] or not 0 < int(answers[1][0]) <= after["lines"]:
        raise Failed(f"pyspark counts {answers[:2]}, the manifests {before['lines']} and then {after['lines']}")
    say(f"pyspark counted {answers[0][0]} tweets of closed hours and {answers[1][0]} in Parquet, {time.monotonic() - began:.0f} s in all")
    # A task whose work Spark does; luigi's exit code says whether it was done.
    hour = next(hour["hour"] for hour in json.loads(there.inside("luigi_worker", "ingest", "hours", "--json")) if hour["closed"])
    began = time.monotonic()
    there.inside("luigi_worker", "luigi", "--module", "luigi_tasks", "HourlySummary", "--hour", hour)
    say(f"luigi's HourlySummary of {hour} ran on Spark: {time.monotonic() - began:.0f} s")


def faults(there: Environment) -> None:
    for service in ("ingest", "s3", "luigi_server", "worker"):
        # To Docker this is a stop by hand: nothing starts it again but `up`.
        there.run("docker", "kill", "-s", "KILL", there.container(service))
        there.compose("up", "-d")
        healed = there.wait_healthy(*LASTING)
        # The process dies and the engine's restart policy acts. The first child of docker-init is what the container is for.
        starts = there.inspected(service)["State"]["StartedAt"]
        there.inside(service, "sh", "-c", "kill -9 $(cat /proc/1/task/1/children | cut -d' ' -f1)")
        wait(f"{service} started again", lambda: there.inspected(service)["State"]["StartedAt"] != starts)
        itself = there.wait_healthy(*LASTING)
        say(f"{service}: killed with KILL and `up`, healthy after {healed:.0f} s; its process killed, by itself after {itself:.0f} s")


def truth(there: Environment) -> dict[str, list[tuple[int, float]]]:
    """The ids that were handed to each connection, in order, each with the simulator's clock in seconds of ours."""
    text = there.run("docker", "run", "--rm", "--network", "none", "-v", f"{PROJECT}_simulator:/s:ro", "--entrypoint", "sh", "dpa/ingest", "-c", "cat /s/truth-*.tsv")
    sent: dict[str, list[tuple[int, float]]] = {}
    for id, created_ms, connection in (line.split("\t") for line in text.splitlines()):
        sent.setdefault(connection, []).append((int(id), int(created_ms) / 1000 / SPEEDUP))
    return sent


def count(there: Environment) -> None:
    """Ends the stream, waits until all of it is in closed hours and Parquet, and holds that against what was sent."""
    there.compose("stop", "x_simulator")
    folder = "/var/lib/cauce/spool/cauce-spool"

    def held() -> list[str]:
        return [file["key"] for file in json.loads(there.inside("ingest", "ingest", "spool", "ls", "--json", "--spool-dir", folder))["files"]]

    wait("nothing but late tweets in the spool", lambda: all(key.startswith("late/") for key in held()))
    wait("every hour closed", lambda: there.oracle("manifests")["open"] == 0)
    # An agent that is asked to stop puts and lists what it still holds; late tweets would wait for roll_interval.
    there.compose("restart", "--timeout", "40", "ingest")
    wait("an empty spool", lambda: not held())
    listed, sent = there.oracle("manifests", "ids"), truth(there)
    stored = set(listed["ids"])
    known = {id for tweets in sent.values() for id, _ in tweets}
    if len(stored) != len(listed["ids"]):
        raise Failed(f"{len(listed['ids']) - len(stored)} tweets are stored twice")
    if stored - known:
        raise Failed(f"{len(stored - known)} tweets were never sent")
    missing = 0
    for connection, tweets in sent.items():
        last = max((place for place, (id, _) in enumerate(tweets) if id in stored), default=-1)
        if not all(id in stored for id, _ in tweets[: last + 1]):
            raise Failed(f"connection {connection} has a hole: a tweet is missing that came before one that is stored")
        cut = tweets[last + 1 :]
        if cut and (before_the_end := tweets[-1][1] - cut[0][1]) > CUT_S:
            raise Failed(f"connection {connection}: what is missing begins {before_the_end:.0f} s before its end")
        missing += len(cut)
    say(f"{len(known)} tweets sent over {len(sent)} connections: {len(stored)} listed, none twice, {missing} cut off at a connection's end")
    wait("every hour's Parquet", lambda: there.oracle("parquet")["hours"] == there.oracle("manifests")["hours"])
    rows = there.oracle("parquet")["rows"]
    if rows != listed["lines"]:
        raise Failed(f"{rows} rows of Parquet, {listed['lines']} tweets in closed hours")
    say(f"{rows} rows of Parquet, as many as tweets in closed hours")


def down_and_up(there: Environment) -> None:
    before = there.oracle("manifests", "ids"), there.oracle("parquet")
    there.compose("down", limit=300)
    began = time.monotonic()
    there.compose("up", "-d")
    there.wait_healthy(*LASTING)
    took = time.monotonic() - began
    lake, parquet = there.oracle("manifests", "ids"), there.oracle("parquet")
    if not set(before[0]["ids"]) <= set(lake["ids"]) or parquet["hours"] < before[1]["hours"]:
        raise Failed("something is gone after down and up")
    history = there.inside("luigi_server", "python3", "-c", "import sqlite3; print(sqlite3.connect('/var/lib/cauce/luigi/history.db').execute('select count(*) from tasks').fetchone()[0])")
    if int(history) == 0:
        raise Failed("luigi's history is gone after down and up")
    say(f"down and up: all is there, {history.strip()} tasks in luigi's history, healthy {took:.0f} s after up")
