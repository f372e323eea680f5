"""The proof, step by step, each on what the one before left: built, started, looked at, used, broken, counted, taken down and up. The
oracle (oracle.py) runs inside the worker's container and reads manifests, objects and Parquet."""

import datetime as dt
import json
import time
import urllib.request
from collections.abc import Callable

from account import Gap, Sent, missing
from environment import GIVEN, LASTING, PROJECT, SPEEDUP, Environment, Failed, say, wait

WORKER = "ambiente_luigi_worker_1"
LOGS = {"Type": "json-file", "Config": {"max-file": "3", "max-size": "10m"}}
SPOOL = "/var/lib/cauce/spool/cauce-spool"
# In a container, the number of the process that it is for: the first child of docker-init.
MAIN_PROCESS = "$(cut -d' ' -f1 /proc/1/task/1/children)"
OLD_PACKAGES = "com.amazonaws:aws-java-sdk-pom:1.10.34,org.apache.hadoop:hadoop-aws:2.6.0"
AGENT = [
    *("flume-ng", "agent", "-n", "TwitterAgent", "-c", "/usr/flume/apache-flume-1.6.0-bin/conf"),
    *("-f", "/home/flume/twitter.conf", "-Dflume.root.logger=INFO,console"),
]


def prove(there: Environment) -> None:
    build(there)
    start(there)
    look_from_outside(there)
    commands(there)
    faults(there)
    count(there)
    down_and_up(there)


def build(there: Environment) -> None:
    began = time.monotonic()
    there.run("docker", "build", "--force-rm", "-t", "dpa/base", "docker-images/base", limit=1800)
    say(f"docker build of dpa/base: {time.monotonic() - began:.0f} s")
    began = time.monotonic()
    there.compose("build", "--force-rm", limit=5400)
    say(f"{there.compose_command} build --force-rm: {time.monotonic() - began:.0f} s")
    sizes = there.run("docker", "images", "--format", "{{.Repository}} {{.Size}}").splitlines()
    say("images: " + ", ".join(sorted(line for line in sizes if line.startswith(("dpa/", "debian ")))))


def start(there: Environment) -> None:
    began = time.monotonic()
    there.compose("up", "-d")
    say(f"{there.compose_command} up -d: {time.monotonic() - began:.0f} s")
    there.wait_healthy(*LASTING)
    say(f"all healthy: {time.monotonic() - began:.0f} s after up")
    wait("the first hour's Parquet", lambda: there.oracle("parquet")["hours"])
    say(f"the first closed hour's Parquet: {time.monotonic() - began:.0f} s after up, nothing touched")


def look_from_outside(there: Environment) -> None:
    """No root, no secret in what Docker tells, no port beyond loopback."""
    place = "/var/lib/cauce/secrets"
    secrets = [there.inside("master", "cat", f"{place}/cluster/secret").strip()]
    users = {service: there.inside(service, "cat", f"{place}/lake/credentials") for service in ("ingest", "luigi_worker", "worker")}
    if len(set(users.values())) != len(users):
        raise Failed("services share keys of the S3 server")
    secrets += [line.split("= ")[1] for text in users.values() for line in text.splitlines() if "= " in line]
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
        aside = ["docker", "run", "--rm", "--network", "none", "--entrypoint", "sh", image]
        names = there.run(*aside, "-c", f"find / -xdev -name {GIVEN} 2>/dev/null || true")
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
    typed = "ingest hours && luigi --module luigi_tasks ParquetHour --help && type pyspark\n"
    shell = there.run("docker", "exec", "-i", WORKER, "/bin/bash", given=typed)
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
    """Kills services under load, in both ways, and touches nothing until all is healthy again."""
    services = ("ingest", "s3", "luigi_server", "worker")
    with there.keeper() as said:
        for service in services:
            # To Docker this is a stop by hand: nothing but keep-up starts it again.
            kept = heals(there, service, lambda name=service: there.run("docker", "kill", "-s", "KILL", there.container(name)))
            # The process dies and the engine's restart policy acts.
            itself = heals(there, service, lambda name=service: there.inside(name, "sh", "-c", f"kill -9 {MAIN_PROCESS}"))
            say(f"{service}: all healthy {kept:.0f} s after docker kill -s KILL, {itself:.0f} s after its process was killed, nothing done")
        stays_stopped(there)
        expected = [f"keep-up: {there.container(service)} was killed: started again" for service in (*services, "worker")]
        if said() != expected:
            raise Failed(f"keep-up said {said()}")
    there.compose("up", "-d")
    there.wait_healthy(*LASTING)


def heals(there: Environment, service: str, kill: Callable[[], object]) -> float:
    """Kills a service and waits until it was started again and all is healthy; how many seconds that took."""
    before, began = there.started(service), time.monotonic()
    kill()
    wait(f"{service} started again", lambda: there.started(service) != before)
    there.wait_healthy(*LASTING)
    return time.monotonic() - began


def stays_stopped(there: Environment) -> None:
    """What people stop stays down while something else is healed, also where the stop had to end with KILL."""
    there.compose("stop", "luigi_worker")
    # A process that hears no signal: in the end Docker kills it.
    there.inside("luigi_server", "sh", "-c", f"kill -STOP {MAIN_PROCESS}")
    there.compose("stop", "--timeout", "1", "luigi_server")
    if (code := there.inspected("luigi_server")["State"]["ExitCode"]) != 137:
        raise Failed(f"luigi_server ended with {code} and not by KILL: this shows nothing of such a stop")
    there.run("docker", "kill", "-s", "KILL", there.container("worker"))
    wait("worker started again", lambda: there.is_healthy("worker"))
    if up := [service for service in ("luigi_worker", "luigi_server") if there.inspected(service)["State"]["Running"]]:
        raise Failed(f"{', '.join(up)} was stopped by hand and runs again")
    say("what was stopped by hand stayed down meanwhile")


def truth(there: Environment) -> list[list[Sent]]:
    """What was handed to each connection, in order. Some tweets bear an earlier time than their turn's, none a later one."""
    aside = ["docker", "run", "--rm", "--network", "none", "-v", f"{PROJECT}_simulator:/s:ro", "--entrypoint", "sh", "dpa/ingest"]
    text = there.run(*aside, "-c", "cat /s/truth-*.tsv")
    sent: dict[int, list[Sent]] = {}
    turn = 0.0
    for id, created_ms, connection in (line.split("\t") for line in text.splitlines()):
        turn = max(turn, int(created_ms) / 1000 / SPEEDUP)
        sent.setdefault(int(connection), []).append(Sent(int(id), turn))
    return [sent[connection] for connection in sorted(sent)]


def count(there: Environment) -> None:
    """Ends the stream, waits until all of it is in closed hours and Parquet, and holds that against what was sent."""
    there.compose("stop", "x_simulator")

    def spool() -> dict:
        return json.loads(there.inside("ingest", "ingest", "spool", "ls", "--json", "--spool-dir", SPOOL))

    wait("nothing but late tweets in the spool", lambda: all(file["key"].startswith("late/") for file in spool()["files"]))
    wait("every hour closed", lambda: there.oracle("manifests")["open"] == 0)
    # An agent that is asked to stop puts and lists what it still holds; late tweets would wait for roll_interval.
    there.compose("restart", "--timeout", "40", "ingest")
    wait("an empty spool", lambda: not spool()["files"])
    listed, sent = there.oracle("manifests", "ids"), truth(there)
    # A gap is a span of the agent's clock, and the simulated hours lie before it: the hour of the clock is still open, and the journal has
    # what its manifest will list.
    gaps = [Gap(seconds(gap["from"]), gap["to"] and seconds(gap["to"]), gap["cause"]) for gap in listed["gaps"] + spool()["gaps"]]
    arrived = dict(listed["ids"])
    known = {one.id for tweets in sent for one in tweets}
    if len(arrived) != len(listed["ids"]):
        raise Failed(f"{len(listed['ids']) - len(arrived)} tweets are stored twice")
    if unknown := arrived.keys() - known:
        raise Failed(f"{len(unknown)} tweets were never sent")
    say(f"{len(known)} tweets sent over {len(sent)} connections: {len(arrived)} listed, none twice")
    for gap, tweets in missing(sent, arrived, gaps):
        to = "now" if gap.to is None else f"{gap.to - gap.since:.1f} s later"
        say(f"{tweets} were in a connection that broke, and lie in the listed gap from {clock(gap.since)} to {to}: {gap.cause}")
    wait("every hour's Parquet", lambda: there.oracle("parquet")["hours"] == there.oracle("manifests")["hours"])
    rows = there.oracle("parquet")["rows"]
    if rows != listed["lines"]:
        raise Failed(f"{rows} rows of Parquet, {listed['lines']} tweets in closed hours")
    say(f"{rows} rows of Parquet, as many as tweets in closed hours")


def seconds(instant: str) -> float:
    return dt.datetime.fromisoformat(instant).timestamp()


def clock(at: float) -> str:
    return f"{dt.datetime.fromtimestamp(at, dt.UTC):%H:%M:%S}"


def down_and_up(there: Environment) -> None:
    before = there.oracle("manifests", "ids"), there.oracle("parquet")
    there.compose("down", limit=300)
    began = time.monotonic()
    there.compose("up", "-d")
    there.wait_healthy(*LASTING)
    took = time.monotonic() - began
    lake, parquet = there.oracle("manifests", "ids"), there.oracle("parquet")
    if not dict(before[0]["ids"]).keys() <= dict(lake["ids"]).keys() or parquet["hours"] < before[1]["hours"]:
        raise Failed("something is gone after down and up")
    ask = "import sqlite3; print(sqlite3.connect('/var/lib/cauce/luigi/history.db').execute('select count(*) from tasks').fetchone()[0])"
    history = there.inside("luigi_server", "python3", "-c", ask)
    if int(history) == 0:
        raise Failed("luigi's history is gone after down and up")
    say(f"down and up: all is there, {history.strip()} tasks in luigi's history, healthy {took:.0f} s after up")
