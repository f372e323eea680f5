"""`python -m cauce` against `ingest`: the same flags, output and exit codes; and from a wheel that is alone."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cauce
import pyarrow.parquet as pq
import pytest
from lakes import HOUR, START, Builder, hours_from, joined, tweets

INGEST = os.environ.get("INGEST")
PYTHON = [sys.executable, "-m", "cauce"]
RANGE = "2026-11-22T05..2026-11-22T07"
ROOT = Path(__file__).resolve().parents[2]


def run(*line: str | Path, program: list[str] = PYTHON) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*program, *line], capture_output=True)


@pytest.fixture
def rich(tmp_path: Path) -> Path:
    """Hours of every kind: closed, empty with a gap, with late tweets and rejects, open; a folder that is no hour."""
    builder = Builder()
    hours = hours_from(START, 4)
    gap = {"from": "2026-11-22T06:12:07Z", "to": None, "cause": "stall", "repaired_by": None, "tweets": 0}
    builder.hour(hours[0], joined(tweets(300)), joined(tweets(8, 300)), rejects=2, message_counts={"delete": 3})
    builder.hour(hours[1], gaps=[gap], undelivered=7)
    builder.hour(hours[2], joined(tweets(3, 400))[:-1], codec="gzip")
    builder.late(hours[0], 1, joined(tweets(2, 500)))
    builder.open_hour(hours[3], joined(tweets(5, 600)))
    builder.objects["11-23-/FlumeData.1795410000123"] = joined(tweets(4, 700))
    return builder.to_folder(tmp_path / "lake")


SAME = {
    "a table": ["hours"],
    "a table of a range": ["hours", RANGE],
    "a table of nothing": ["hours", "2031-01-01T00"],
    "json": ["hours", "--json"],
    "json of nothing": ["hours", "--json", "2031-01-01T00"],
    "an hour": ["cat", HOUR],
    "an hour whose object lacks its last newline": ["cat", "2026-11-22T07"],
    "a range": ["cat", RANGE],
    "an open hour": ["cat", "2026-11-22T08"],
    "late tweets": ["cat", "--late", HOUR],
    "a whole folder that is no hour": ["cat", "2026-11-23T00..2026-11-24T00"],
    "a part of a folder that is no hour": ["cat", "2026-11-23T05"],
    "nothing": ["cat", "2031-01-01T00"],
    "statements": ["convert", "--print-ddl", "duckdb", "--to", "pq"],
    "statements for a chosen table": ["convert", "--print-ddl", "athena", "--columns", "tweet_id,text", "--raw"],
}


def answer(done: subprocess.CompletedProcess[bytes]) -> tuple[int, bytes, bytes]:
    """What is the same: a refusal names the program that refuses."""
    return done.returncode, done.stdout, re.sub(rb"(?m)^(ingest|python -m cauce): ", b"", done.stderr)


@pytest.mark.skipif(not INGEST, reason="INGEST names the program to be compared with")
@pytest.mark.parametrize("line", SAME.values(), ids=SAME.keys())
def test_a_command_answers_as_ingest_does(rich: Path, line: list[str]) -> None:
    assert INGEST is not None
    wanted = answer(run(*line, "--lake", rich, program=[INGEST]))
    assert answer(run(*line, "--lake", rich)) == wanted
    assert wanted[1] or wanted[0] != 0


@pytest.mark.skipif(not INGEST, reason="INGEST names the program to be compared with")
@pytest.mark.parametrize("line", [["hours"], ["cat", RANGE]])
def test_manifests_that_cannot_be_trusted_are_told_as_ingest_tells_them(rich: Path, line: list[str]) -> None:
    assert INGEST is not None
    (rich / "_hours" / f"{HOUR}.json").write_text("{}")
    wanted = answer(run(*line, "--lake", rich, program=[INGEST]))
    assert answer(run(*line, "--lake", rich)) == wanted
    assert wanted[0] == 1
    assert wanted[2].startswith(b"problem: ")


@pytest.mark.skipif(not INGEST, reason="INGEST names the program to be compared with")
def test_hours_become_the_same_parquet_and_summary(rich: Path, tmp_path: Path) -> None:
    assert INGEST is not None
    told = {}
    for name, program in (("one", [INGEST]), ("other", PYTHON)):
        line: list[str | Path] = [
            "convert",
            RANGE,
            "--lake",
            rich,
            "--columns",
            "tweet_id,author.username",
            "--jobs",
            "1",
        ]
        done = run(*line, "--to", tmp_path / name, program=program)
        assert done.returncode == 0, done.stderr
        again = run("convert", RANGE, "--lake", rich, "--to", tmp_path / name, "--columns", "tweet_id,author.username")
        assert b"0 made, 2 up to date" in again.stdout
        # The last line is the time that it took.
        told[name] = (done.stdout.splitlines()[:-1], done.stderr)
    assert told["one"] == told["other"]
    assert told["one"][0][0] == b"hours       2 made, 0 up to date, 0 failed"
    files = [sorted((tmp_path / name).rglob("*.parquet")) for name in told]
    assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]]
    assert sum(pq.read_metadata(path).num_rows for path in files[1]) == 308


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        (["hours", "yesterday", "--lake", "lake"], 2, b"yesterday"),
        (["hours", "--lake", "/nowhere/at/all"], 4, b"there is no folder /nowhere/at/all"),
        (["hours", "--time-zone", "Mars/Olympus", "--lake", "lake"], 2, b"Mars/Olympus"),
        (["hours", "-c", "cauce.toml"], 2, b"-c is read by ingest alone: say --lake URL, or set CAUCE_LAKE__URL"),
        (["hours"], 2, b"no lake is given"),
        (["convert", "--lake", "lake"], 2, b"--to URL is required"),
        (["convert", "--to", "pq", "--jobs", "0"], 2, b"'0' must be a whole number, at least 1"),
        (["convert", "--to", "pq", "--messages-until", HOUR], 2, b"--messages-until needs --without-deleted"),
        (["convert", "--to", "pq", "--lake", "lake", "--columns", "nickname"], 2, b"nickname"),
        (["convert", "--print-ddl", "oracle"], 2, b"oracle"),
        (["sing"], 2, b"sing"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_sentence(
    line: list[str], code: int, message: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lake").mkdir()
    done = run(*line)
    assert (done.returncode, done.stdout) == (code, b"")
    assert message in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_lake_of_the_variables_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUCE_LAKE__URL", str(folder))
    assert run("cat", HOUR).stdout == joined(tweets(20))


def test_a_conversion_in_which_an_hour_fails_names_it(folder: Path, tmp_path: Path) -> None:
    Path(cauce.Lake(folder).hour(HOUR).urls()[0]).unlink()
    done = run("convert", "--lake", folder, "--to", tmp_path / "pq")
    assert done.returncode == 1
    assert b"2 made, 0 up to date, 1 failed" in done.stdout
    assert f"failed: {HOUR}: ".encode() in done.stderr
    assert done.stderr.endswith(b"python -m cauce: 1 of 3 hours were not converted\n")


def test_a_reader_that_goes_away_is_no_failure(folder: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*PYTHON, "cat", HOUR, "--lake", folder], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("command", ["hours", "cat", "convert"])
def test_help_names_the_flags_of_ingest(command: str) -> None:
    shown = run(command, "--help").stdout.decode()
    assert "--lake URL" in shown
    if INGEST:
        known = subprocess.run([INGEST, command, "--help"], capture_output=True, text=True, check=True).stdout

        def flags(text: str) -> set[str]:
            return set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))

        # Of the agent's configuration, and of ingest's log.
        missing = flags(known) - flags(shown)
        assert missing <= {"--config", "--conf-file", "--name", "--log-format", "--log-level", "--log", "--version"}, (
            missing
        )


def test_the_wheel_alone_has_the_commands(folder: Path, tmp_path: Path) -> None:
    if not shutil.which("cargo"):
        pytest.skip("cargo is missing, so no wheel can be built")
    # As `make module` builds, so that next to nothing is compiled.
    build = [sys.executable, "-m", "maturin", "build", "--quiet", "--locked", "--out", str(tmp_path / "wheels")]
    manifest = ["--manifest-path", str(ROOT / "pybindings/Cargo.toml")]
    variables = {**os.environ, "PYO3_BUILD_EXTENSION_MODULE": "1"}
    subprocess.run([*build, *manifest], check=True, env=variables, cwd=ROOT)
    (wheel,) = (tmp_path / "wheels").glob("cauce-*.whl")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = str(tmp_path / "venv/bin/python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-index", wheel], check=True, env=variables)
    alone = [python, "-I", "-m", "cauce"]
    listed = run("hours", "--lake", folder, program=alone)
    assert (listed.returncode, listed.stdout) == (0, run("hours", "--lake", folder).stdout)
    assert run("cat", HOUR, "--lake", folder, program=alone).stdout == joined(tweets(20))
    made = run("convert", "--lake", folder, "--to", tmp_path / "pq", program=alone)
    assert made.returncode == 0, made.stderr
    assert pq.read_metadata(next((tmp_path / "pq").rglob("tweets.parquet"))).num_rows == 20
    # What other libraries are needed for is refused by name, and nothing else is touched by that.
    code = f"import cauce; cauce.Lake({str(folder)!r}).to_arrow()"
    refused = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True)
    assert "Lake.to_arrow needs pyarrow: pip install pyarrow" in refused.stderr
