"""Runs inside the worker's container, from standard input: what the lake's manifests and the Parquet hold, as JSON. Reads with pyarrow and
the standard library alone, nothing of ours.

    manifests [ids]    closed hours, tweets they list, gaps, hours that hold objects and are not closed; with every id, late ones too, and the
                       second in which it arrived
    parquet            hours whose Parquet is finished, and its rows
"""

import json
import os
import sys
from collections.abc import Iterator

import pyarrow.parquet as pq
from pyarrow.fs import FileSelector, S3FileSystem

ENDPOINT = os.environ["CAUCE_LAKE__S3__ENDPOINT_URL"]
SERVER = S3FileSystem(endpoint_override=ENDPOINT.split("://")[1], scheme=ENDPOINT.split("://")[0], region=os.environ["AWS_REGION"])


def listed(place: str) -> list[str]:
    return [info.path for info in SERVER.get_file_info(FileSelector(place, allow_not_found=True, recursive=True)) if info.is_file]


def content(path: str) -> bytes:
    with SERVER.open_input_file(path) as file:
        return file.read()


def tweet_id(line: bytes) -> int:
    tweet = json.loads(line)
    return int(tweet["data"]["id"] if "data" in tweet else tweet["id_str"])


def seconds(arrivals: list[list[int]]) -> Iterator[int]:
    """The second in which each line came, from pairs of second and lines so far."""
    so_far = 0
    for second, lines in arrivals:
        yield from [second] * (lines - so_far)
        so_far = lines


def manifests(lake: str, with_ids: bool) -> dict:
    names = [path for path in listed(f"{lake}/_hours") if path.endswith(".json")]
    ids: list[tuple[int, int]] = []
    gaps: list[dict] = []
    closed, lines = set(), 0
    for name in names:
        manifest = json.loads(content(name))
        is_late = ".late-" in name
        if not is_late:
            closed.add(manifest["hour"])
            gaps += manifest["gaps"]
            lines += sum(entry["lines"] for entry in manifest["objects"])
        for entry in manifest["objects"] if with_ids else ():
            raw = content(f"{lake}/{entry['key']}")
            if len(raw) != entry["bytes"] or raw.count(b"\n") != entry["lines"]:
                sys.exit(f"{entry['key']} is not what its manifest says")
            ids += zip(map(tweet_id, raw.splitlines()), seconds(entry["arrivals"]), strict=True)
    # %m-%d-%h, without a year.
    folders = {path[len(lake) + 1 :].split("/")[0] for path in listed(lake)}
    open_ones = {name for name in folders if name[:1].isdigit()} - {f"{hour[5:10]}-{hour[11:13]}" for hour in closed}
    return {"hours": len(closed), "lines": lines, "open": len(open_ones), "gaps": gaps, "ids": ids}


def parquet(root: str) -> dict:
    done = [path for path in listed(root) if path.endswith("/_SUCCESS")]
    rows = 0
    for path in done:
        with SERVER.open_input_file(path.replace("_SUCCESS", "tweets.parquet")) as file:
            rows += pq.ParquetFile(file).metadata.num_rows
    return {"hours": len(done), "rows": rows}


def place(variable: str) -> str:
    return os.environ[variable].removeprefix("s3://")


if sys.argv[1] == "manifests":
    print(json.dumps(manifests(place("CAUCE_LAKE__URL"), "ids" in sys.argv[2:])))
else:
    print(json.dumps(parquet(place("PARQUET_URL"))))
