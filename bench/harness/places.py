"""Where things are, and the sizes that the environment asks for."""

import os
import pathlib
from dataclasses import dataclass, field

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent
CONTENDERS = REPOSITORY / "bench" / "contenders"
RELEASE = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")).absolute() / "release"


def number(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdigit() or text == "0":
        raise SystemExit(f"{name} is {text!r}: give a whole number from 1")
    return int(text)


@dataclass(frozen=True)
class Places:
    """Programs, folders and sizes of one `make bench`."""

    python: pathlib.Path = REPOSITORY / ".venv-bench" / "bin" / "python"
    ingest: pathlib.Path = RELEASE / "ingest"
    server: pathlib.Path = RELEASE / "cauce-bench-server"
    data: pathlib.Path = field(default_factory=lambda: pathlib.Path(os.environ.get("BENCH_DATA", REPOSITORY / "bench" / ".data")).absolute())
    megabytes: int = field(default_factory=lambda: number("BENCH_MB", 1024))
    s3_megabytes: int = field(default_factory=lambda: number("BENCH_S3_MB", 256))
    spark_megabytes: int = field(default_factory=lambda: number("BENCH_SPARK_MB", 5600))
    rounds: int = field(default_factory=lambda: number("BENCH_ROUNDS", 5))
    threads: int = field(default_factory=lambda: number("BENCH_THREADS", 2))

    def script(self, name: str, *words: object) -> list[str]:
        """A contender in the virtual environment."""
        return [str(self.python), str(CONTENDERS / name), *map(str, words)]
