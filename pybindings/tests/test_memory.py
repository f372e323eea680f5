"""Memory stays bounded, however large an hour is."""

import gzip
import subprocess
import sys
from pathlib import Path

import cauce
import pytest
from lakes import START, Builder, joined, tweets

MEGABYTE = 1 << 20
PROGRAM = """
import sys, resource, cauce
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
hour = cauce.Lake(sys.argv[1], memory_bytes=16 << 20).hour("2026-11-22T05")
count = sum({what})
print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """An hour of 256 MiB in two plain objects and 256 MiB more in a compressed one."""
    body = joined(tweets(2000))
    times = 128 * MEGABYTE // len(body)
    builder = Builder()
    entries = builder.open_hour(START, body * times, body * times)
    entries += builder.open_hour(START, b"")
    compressed = entries[-1]
    del builder.objects[compressed["key"]]
    compressed.update(key=compressed["key"] + ".gz", codec="gzip", lines=2000 * times * 2)
    builder.objects[compressed["key"]] = gzip.compress(body, 1) * (times * 2)
    compressed["bytes"] = len(builder.objects[compressed["key"]])
    del compressed["crc64nvme"]
    builder.close(START, entries)
    return builder.to_folder(tmp_path_factory.mktemp("large")), 2000 * times * 4


@pytest.mark.parametrize(
    ("what", "most"),
    [
        ("1 for _ in hour.lines()", 96),
        ("1 for _ in hour.records(['x'])", 96),
        ("len(batch) for batch in hour.batches(['tweet_id', 'text'], 1000)", 160),
        ("block.count(b'\\n') for block in iter(lambda: file.read(1 << 16), b'')", 96),
    ],
)
def test_an_hour_larger_than_the_memory_is_read(large: tuple[Path, int], what: str, most: int) -> None:
    folder, lines = large
    code = PROGRAM.format(what=what)
    if "file" in what:
        code = code.replace("count =", "file = hour.open()\ncount =")
    out = subprocess.run([sys.executable, "-c", code, str(folder)], check=True, capture_output=True, text=True).stdout
    count, kilobytes = map(int, out.split())
    assert count == lines
    assert kilobytes < most * 1024
    assert cauce.Lake(folder).hours()[0].bytes > 256 * MEGABYTE
