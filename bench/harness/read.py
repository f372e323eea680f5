"""The comparisons that read from S3, by Python: lines, with and without latency, a typed table, listings, and forks."""

from collections.abc import Callable

from harness.places import Places
from harness.plan import CAUCE, Comparison, Contender, Goal

Reader = Callable[..., Contender]
LATENCY_MS = 20
HANGS_AFTER = 20  # seconds; the reading takes less than one


def reader(places: Places, task: str, endpoint: str) -> Reader:
    def make(name: str, script: str, at_once: int = 1, variant: str = "", rounds: int | None = None, env: dict[str, str] | None = None) -> Contender:
        words = [task, endpoint, "--at-once", at_once, *(["--variant", variant] if variant else [])]
        return Contender(name, places.script(script, *words), env or {}, rounds=rounds)

    return make


def lines(places: Places, endpoint: str) -> list[Comparison]:
    found = []
    for task, objects in (("lines", "288 objects of 0.9 MB"), ("small", "1,440 objects of 45 KB")):
        make = reader(places, task, endpoint)
        goals = [Goal("wall", "obstore", 2), Goal("wall", "boto3", 3.5), Goal("wall", "luigi", 15)]
        found.append(
            Comparison(
                f"read-{task}",
                f"Every line of 24 hours as Python bytes, counted: {objects}",
                "The objects are listed, read and cut into lines.",
                [
                    make(CAUCE, "read_cauce.py"),
                    make("obstore", "read_obstore.py"),
                    make("obstore, 16 at once", "read_obstore.py", 16),
                    make("boto3", "read_boto3.py"),
                    make("boto3, 16 threads", "read_boto3.py", 16),
                    make("pyarrow.fs", "read_pyarrow.py"),
                    make("pyarrow.fs, 16 threads", "read_pyarrow.py", 16),
                    make("s3fs, 64 at once", "read_s3fs.py", 64),
                    make("luigi", "read_luigi.py", rounds=3),
                ],
                goals if task == "lines" else [],
                places.s3_megabytes if task == "lines" else None,
            )
        )
    return found


def latency(places: Places, endpoint: str) -> list[Comparison]:
    make = reader(places, "lines", endpoint)
    return [
        Comparison(
            "read-latency",
            f"The same with {LATENCY_MS} ms before each answer: 288 objects",
            "Cauce chooses how many requests are on their way, up to the number given with it.",
            [
                make("Cauce, 16 at once", "read_cauce.py", 16),
                make("obstore, 16 at once", "read_obstore.py", 16),
                make("Cauce, 64 at once", "read_cauce.py", 64),
                make("obstore, 64 at once", "read_obstore.py", 64),
                make(CAUCE, "read_cauce.py"),
                make("boto3, 16 threads", "read_boto3.py", 16),
                make("luigi", "read_luigi.py", rounds=1),
            ],
            [
                Goal("wall", "obstore, 16 at once", 1.25, by="Cauce, 16 at once"),
                Goal("wall", "obstore, 64 at once", 1.25, by="Cauce, 64 at once"),
            ],
            places.s3_megabytes,
        )
    ]


def typed(places: Places, endpoint: str) -> list[Comparison]:
    make = reader(places, "table", endpoint)
    two = {"POLARS_MAX_THREADS": str(places.threads)}
    return [
        Comparison(
            "read-table",
            "Five typed columns of those hours as an Arrow table",
            "tweet_id, created_at, lang, author_id and text, where the text is a retweet's full text. Polars is spared that look-up.",
            [
                make(CAUCE, "read_cauce.py"),
                make("PyArrow, 16 threads", "read_pyarrow.py", 16),
                make("PyArrow", "read_pyarrow.py"),
                make("Polars", "read_polars.py", env=two),
            ],
            [Goal("wall", "PyArrow, 16 threads", 3), Goal("wall", "Polars", 4)],
            places.s3_megabytes,
        )
    ]


def listing(places: Places, endpoint: str) -> list[Comparison]:
    found = []
    for task, title in (("list", "List 24 hours: 288 objects"), ("year", "Which hours of a year are closed: 8,760 manifests")):
        make = reader(places, task, endpoint)
        some = [make(CAUCE, "read_cauce.py"), make("obstore", "read_obstore.py"), make("boto3", "read_boto3.py")]
        if task == "list":
            some.append(make("obstore, 16 at once", "read_obstore.py", 16))
        some += [make("pyarrow.fs", "read_pyarrow.py"), make("s3fs", "read_s3fs.py"), make("luigi", "read_luigi.py")]
        what = "Cauce reads the manifests of the hours." if task == "list" else "One listing, nine pages."
        found.append(Comparison(f"list-{task}", title, what, some, [Goal("wall", "obstore", 5)]))
    return found


def fork(places: Places, endpoint: str) -> list[Comparison]:
    names = [(CAUCE, "cauce"), ("obstore", "obstore"), ("Polars", "polars"), ("boto3", "boto3")]
    return [
        Comparison(
            "fork",
            "An hour read in the parent, then in the child of a fork",
            f"What Luigi's workers do to a library. Without an end within {HANGS_AFTER} s it counts as hanging.",
            [Contender(name, places.script("fork.py", word, endpoint), rounds=1, limit=HANGS_AFTER) for name, word in names],
        )
    ]
