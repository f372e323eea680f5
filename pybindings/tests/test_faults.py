"""Full and read-only disks, FIFOs, and objects that changed after they were stored or are larger than they look."""

import gzip
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cauce
import pytest
from lakes import HOUR, START, Builder, crc64nvme, joined, tweets

CONVERT = """
import sys, cauce
try:
    lake, target, temp = sys.argv[1:]
    print("made", cauce.convert(cauce.Lake(lake), None, target, temp_dir=temp or None, compression="none").made)
except cauce.Error as error:
    kinds = [name for name in ("OSError", "PermissionError") if isinstance(error, getattr(__builtins__, name))]
    print(type(error).__name__, *kinds, error, sep="|")
"""


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A folder on which a disk of its own can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", folder], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    return folder


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A closed hour whose Parquet has some megabytes."""
    builder = Builder()
    builder.hour(START, joined(tweets(60_000)))
    return builder.to_folder(tmp_path / "lake")


def convert_with_disk(lake: Path, target: Path, temp: Path | str, mount: str, between: str) -> list[str]:
    """What two conversions said, in a namespace of their own: after mounting a disk, and after changing it."""
    run = f"'{sys.executable}' -c '{CONVERT}' '{lake}' '{target}' '{temp}'"
    script = f"{mount} && {run} && find '{target}' -type f -printf '%f\\n' && {between} && {run}"
    done = subprocess.run(["unshare", "-rm", "sh", "-c", script], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize("own", [False, True])
def test_a_full_disk_is_an_oserror_and_with_room_it_goes_on(large: Path, disk: Path, own: bool) -> None:
    target, temp = (disk.parent / "parquet", disk) if own else (disk, "")
    target.mkdir(exist_ok=True)
    failed, *rest = convert_with_disk(
        large,
        target,
        temp,
        f"mount -t tmpfs -o size=1m tmpfs '{disk}'",
        f"mount -o remount,size=64m '{disk}'",
    )
    assert failed.startswith("StoreError|OSError|"), failed
    assert str(disk) in failed
    assert "make room" in failed
    assert rest == ["made 1"]


def test_a_read_only_target_is_a_permissionerror(large: Path, disk: Path) -> None:
    failed, *rest = convert_with_disk(
        large, disk, "", f"mount -t tmpfs -o ro tmpfs '{disk}'", f"mount -o remount,rw '{disk}'"
    )
    assert failed.startswith("AccessDenied|OSError|PermissionError|"), failed
    assert f"write {disk}/.cauce-stage: the disk is mounted read-only: mount it for writing" in failed
    assert rest == ["made 1"]


@pytest.mark.parametrize("codec", ["none", "gzip"])
@pytest.mark.parametrize(
    "read",
    [
        lambda hour: list(hour.lines()),
        lambda hour: list(hour.lines(objects=[hour.objects[1].key])),
        lambda hour: list(hour.records()),
        lambda hour: list(hour.batches(["tweet_id"])),
        lambda hour: list(hour.batches(["tweet_id"], objects=[hour.objects[1].key])),
        lambda hour: hour.open().read(),
    ],
)
def test_an_object_that_changed_after_its_hour_was_closed_is_corrupt(
    tmp_path: Path, codec: str, read: Callable[[cauce.Hour], object]
) -> None:
    builder = Builder()
    _, changed = builder.hour(START, joined(tweets(20)), joined(tweets(50, 20)), codec=codec)
    whole = cauce.Lake(builder.to_folder(tmp_path / "whole")).hour(HOUR)
    read(whole)
    builder.change(changed["key"])
    hour = cauce.Lake(builder.to_folder(tmp_path / "changed")).hour(HOUR)
    with pytest.raises(cauce.CorruptObject) as caught:
        read(hour)
    assert caught.value.key == changed["key"]
    for words in (f"hour {HOUR}", f"ingest verify {HOUR}", "backup"):
        assert words in str(caught.value)


def test_an_hour_with_a_changed_object_is_not_converted(tmp_path: Path) -> None:
    builder = Builder()
    [changed] = builder.hour(START, joined(tweets(50)))
    builder.change(changed["key"])
    lake = cauce.Lake(builder.to_folder(tmp_path / "lake"))
    with pytest.raises(cauce.ConvertFailed, match=f"{HOUR}.*CRC-64/NVME") as caught:
        cauce.convert(lake, [HOUR], tmp_path / "parquet")
    why = caught.value.__cause__
    assert isinstance(why, cauce.CorruptObject)
    assert why.key == changed["key"]
    assert not list((tmp_path / "parquet").rglob("*.parquet"))


def test_a_fifo_in_a_lake_is_named_and_waited_for_by_nobody(tmp_path: Path) -> None:
    builder = Builder()
    [entry] = builder.hour(START, joined(tweets(2)))
    folder = builder.to_folder(tmp_path / "lake")
    (folder / entry["key"]).unlink()
    os.mkfifo(folder / entry["key"])
    # In a process of its own, which can be ended while it waits.
    code = f"import sys, cauce; list(cauce.Lake(sys.argv[1]).hour('{HOUR}').lines())"
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, timeout=60)
    assert "CorruptObject" in done.stderr
    assert "it is a FIFO, and objects are regular files: remove it" in done.stderr


MEGABYTE = 1 << 20
READ = """
import sys, resource, cauce
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
hour = cauce.Lake(sys.argv[1], memory_bytes=16 << 20).hour("2026-11-22T05")
count, failed = 0, None
try:
    for line in hour.lines():
        count += 1
except cauce.CorruptObject as error:
    failed = error
print(count, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10, failed, sep="|")
"""


@pytest.mark.parametrize(
    ("piece", "lines", "most", "why"),
    [
        (b"0" * MEGABYTE, 1, 200, "the line at byte 12 of 11-22-05/tweets."),
        ((b"0" * 31 + b"\n") * (MEGABYTE >> 5), 1 + (400 << 15), 96, "None"),
    ],
)
def test_a_bomb_takes_no_memory(tmp_path: Path, piece: bytes, lines: int, most: int, why: str) -> None:
    builder = Builder()
    [entry] = builder.open_hour(START, b"")
    del builder.objects[entry["key"]]
    body = gzip.compress(b"first line \n") + gzip.compress(piece) * 400
    assert len(body) < MEGABYTE
    entry.update(key=entry["key"] + ".gz", codec="gzip", lines=lines, bytes=len(body), crc64nvme=crc64nvme(body))
    builder.objects[entry["key"]] = body
    builder.close(START, [entry])
    folder = builder.to_folder(tmp_path / "lake")
    assert cauce.Lake(folder).hour(HOUR).closed
    out = subprocess.run([sys.executable, "-c", READ, folder], check=True, capture_output=True, text=True).stdout
    count, megabytes, failed = out.split("|")
    assert int(count) == lines
    assert int(megabytes) < most
    assert failed.startswith(why)
