"""Python loads this in each process that the tests' luigi starts: it writes down who opened a connection when the process ends.

Connections that Python opens are seen by an audit hook. Arrow's S3 client opens its own, unseen; but it has to be initialised first, and
says whether it was. `WATCHED` names the folder of these notes, a file a process.
"""

import ctypes
import json
import os
import sys
import threading

_FOLDER = os.environ.get("WATCHED")
_connected: list[tuple[str, object]] = []


def _seen(event: str, args: tuple[object, ...]) -> None:
    if event == "socket.connect":
        _connected.append((threading.current_thread().name, args[1] if isinstance(args[1], tuple) else str(args[1])))


def _arrow_s3() -> bool | None:
    """Whether Arrow's S3 client was initialised in this process; None where the library is not loaded."""
    with open("/proc/self/maps") as maps:
        libraries = {line.split()[-1] for line in maps if "libarrow" in line}
    for library in libraries:
        initialised = getattr(ctypes.CDLL(library), "_ZN5arrow2fs15IsS3InitializedEv", None)
        if initialised is not None:
            initialised.restype = ctypes.c_bool
            return bool(initialised())
    assert "pyarrow._s3fs" not in sys.modules, f"none of {libraries} says whether S3 was initialised"
    return None


def _write() -> None:
    told = {"argv": sys.argv, "connected": _connected, "arrow_s3": _arrow_s3()}
    path = os.path.join(str(_FOLDER), f"{os.getpid()}.json")
    with open(f"{path}.new", "w") as note:
        json.dump(told, note)
    # A process may be killed while it writes, and another one look.
    os.replace(f"{path}.new", path)


if _FOLDER:
    sys.addaudithook(_seen)
    # Before pyarrow's own end, after which nothing is initialised any more; also in what multiprocessing forks.
    threading._register_atexit(_write)  # type: ignore[attr-defined]  # atexit comes too late
