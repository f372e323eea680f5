"""One process from start to end: wall, CPU, peak memory, and what it answered. Imports and start-up count: users pay them too.

CPU and memory come from wait4, so of the process and the children it waited for; memory is that of the largest one. A process that is
late is ended with all of its group. One that answers with a `wall` of its own is measured by that: a part of it is what counts.
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LONGEST_REASON = 160


@dataclass(frozen=True)
class Run:
    """A process that ended well."""

    wall: float
    cpu: float
    peak_mib: float
    answer: dict[str, Any]


@dataclass(frozen=True)
class Failed:
    """A process that did not, and its last word."""

    reason: str


def run(command: list[str], env: Mapping[str, str], limit: float) -> Run | Failed:
    """Runs a command that answers with one JSON object on its standard output."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env, start_new_session=True)
        except OSError as error:
            return Failed(f"does not start: {error.strerror}")
        late = threading.Event()

        def end() -> None:
            late.set()
            os.killpg(process.pid, signal.SIGKILL)

        timer = threading.Timer(limit, end)
        timer.start()
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        if late.is_set():
            return Failed(f"no end within {limit:.0f} s")
        end_group(process.pid)
        out.seek(0)
        err.seek(0)
        if process.returncode != 0:
            return Failed(last_word(err.read().decode(errors="replace"), process.returncode))
        text = out.read().decode(errors="replace").strip()
        answer = json.loads(text) if text.startswith("{") else {}
        return Run(answer.pop("wall", wall), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, answer)


def end_group(group: int) -> None:
    """Ends what a process left behind, so that it does not disturb the next one."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass


def last_word(errors: str, code: int) -> str:
    """The last line of the errors without this machine's paths."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    text = lines[-1] if lines else f"ended by signal {-code}" if code < 0 else f"exit code {code}, and not a word"
    for folder in (pathlib.Path.cwd(), pathlib.Path(tempfile.gettempdir()), pathlib.Path.home()):
        text = text.replace(f"{folder}/", "")
    return re.sub(r"(?<![\w.])/(?:[\w.-]+/)+", "…/", text)[:LONGEST_REASON].replace("|", "¦")
