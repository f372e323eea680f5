"""Forks: what was used in the parent is used again in the child, which has none of the parent's threads.

Each case runs in a program of its own, as a worker of Luigi's does, and must end by itself: a hang is a failure.
"""

import subprocess
import sys
from pathlib import Path

import pytest
from lakes import START, Builder, S3Server, hours_from, joined, tweets

LIMIT = 60  # seconds until a hang is called one

HEAD = """
import os, sys, threading, signal, multiprocessing, time, traceback
# A library imported before cauce releases the interpreter in its hooks, which run between cauce's and the fork.
os.register_at_fork(before=lambda: time.sleep(0.001), after_in_parent=lambda: time.sleep(0.001))
import cauce
lake = cauce.Lake(sys.argv[1], endpoint_url=sys.argv[2] or None)

def in_child(work):
    '''Runs work in a forked child, which must end well.'''
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert status == 0, status

def use():
    assert [hour.closed for hour in lake.hours()] == [True, True, True]
    assert len(lake.closed(['2026-11-22T05', '2026-11-22T09'])) == 1
    assert sum(1 for _ in lake.hour('2026-11-22T05').lines()) == 2000
    assert sum(len(batch) for batch in lake.batches(lake.hours(), ['tweet_id'])) == 6000
"""

CASES = {
    "used in the parent, used in the child": "use(); in_child(use); use()",
    "used in the child only": "in_child(use)",
    "used in a grandchild": "use(); in_child(lambda: (use(), in_child(use), use())); use()",
    "an hour is carried over": """
hour = lake.hour('2026-11-22T05')
in_child(lambda: None if sum(1 for _ in hour.lines()) == 2000 else sys.exit(1))
""",
    "iterators that are carried over raise, in the child alone": """
hour = lake.hour('2026-11-22T05')
lines, records, batches, file = hour.lines(), hour.records(), iter(hour.batches()), hour.open()
next(lines), next(records), next(batches), file.read(1)
def refuse():
    for what, ask in [('iterator of lines', lambda: next(lines)), ('iterator of records', lambda: next(records)),
                      ('stream of batches', lambda: next(batches)), ('file', lambda: file.raw.read(1)),
                      ('iterator of lines', lines.close)]:
        try:
            ask()
        except cauce.ForkError as error:
            assert isinstance(error, RuntimeError) and what in str(error) and 'forked' in str(error)
        else:
            raise AssertionError(what)
    use()
in_child(refuse)
assert sum(1 for _ in lines) == 1999 and sum(1 for _ in records) == 1999
""",
    "iterators that are carried over are dropped in the child": """
lines = lake.hour('2026-11-22T05').lines()
next(lines)
def drop():
    global lines
    del lines
    import gc
    gc.collect()
    use()
in_child(drop)
""",
    "a stream in a capsule is carried over": """
import pyarrow as pa
reader = pa.RecordBatchReader.from_stream(lake.batches(lake.hours(), ['tweet_id'], 100))
reader.read_next_batch()
def refuse():
    try:
        reader.read_next_batch()
    except Exception as error:
        assert 'forked' in str(error), error
    else:
        raise AssertionError('it was read')
in_child(refuse)
assert sum(len(batch) for batch in reader) > 0
""",
    "another thread reads meanwhile": """
stop = threading.Event()
failed = []
def read():
    try:
        while not stop.is_set():
            use()
    except BaseException as error:
        failed.append(error)
threads = [threading.Thread(target=read) for _ in range(2)]
for thread in threads:
    thread.start()
for _ in range(12):
    in_child(use)
stop.set()
for thread in threads:
    thread.join()
assert not failed, failed
""",
    "another thread begins meanwhile": """
# The first use of all, which is where libraries initialise themselves.
thread = threading.Thread(target=use)
thread.start()
in_child(use)
thread.join()
""",
    "threads fork at once, while others read": """
# Another library's hook that releases the interpreter in the middle of a fork, registered after cauce's too.
import concurrent.futures, subprocess, time
os.register_at_fork(before=lambda: time.sleep(0.001), after_in_parent=lambda: time.sleep(0.001))
def start(number):
    if number % 2:
        return subprocess.run(['/bin/true'], preexec_fn=lambda: None).returncode
    in_child(lambda: None)
    return 0
with concurrent.futures.ThreadPoolExecutor(12) as pool:
    reading = [pool.submit(use) for _ in range(4)]
    assert set(pool.map(start, range(200))) == {0}
    for done in reading:
        done.result()
in_child(use)
""",
    "tables are made in the parent and in the child": """
import pyarrow as pa
def tables():
    assert lake.to_arrow(columns=['tweet_id']).num_rows == 6000
    assert lake.to_pandas(columns=['tweet_id']).shape == (6000, 1)
    assert '6,000 tweets' in lake._repr_html_()
tables(); in_child(tables); tables()
""",
    "threads make tables and fork meanwhile": """
import concurrent.futures
import pyarrow as pa, pandas
def start(number):
    if number % 3:
        return lake.to_arrow(columns=['tweet_id'], closed=True).num_rows
    in_child(use)
    return 6000
with concurrent.futures.ThreadPoolExecutor(6) as pool:
    assert set(pool.map(start, range(36))) == {6000}
""",
    "an event loop reads in the parent and in the child": """
import asyncio
async def count_lines():
    return [_ async for _ in lake.hour('2026-11-22T05').lines()]
def read():
    assert len(asyncio.run(count_lines())) == 2000
read(); in_child(read); read()
""",
    "the interpreter ends while threads make tables": """
import pyarrow, pandas
made = threading.Semaphore(0)
def read():
    while True:
        lake.to_arrow(columns=['tweet_id'])
        made.release()
for _ in range(4):
    threading.Thread(target=read, daemon=True).start()
for _ in range(8):
    made.acquire()
""",
    "the interpreter ends while an event loop waits for lines": """
import asyncio
async def one():
    async for line in lake.hour('2026-11-22T05').lines():
        return line
    async for batch in lake.batches(lake.hours()):
        return batch
assert asyncio.run(one())
""",
    "a pool of forked workers": """
use()
assert multiprocessing.get_context('fork').Pool(4).map(count, range(8)) == [2000] * 8
""",
}
POOLS = """
def count(_):
    return sum(1 for _ in lake.hour('2026-11-22T05').lines())
"""


def long_lake() -> Builder:
    builder = Builder()
    for number, hour in enumerate(hours_from(START, 3)):
        builder.hour(hour, *(joined(tweets(500, number * 2000 + part * 500)) for part in range(4)))
    return builder


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, s3: S3Server) -> dict[str, tuple[str, str]]:
    """The same lake in a folder and in a bucket."""
    builder = long_lake()
    folder = builder.to_folder(tmp_path_factory.mktemp("fork"))
    return {"folder": (str(folder), ""), "s3": (builder.to_bucket(s3, "fork", "a/b/"), s3.url)}


def run(code: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("place", ["folder", "s3"])
@pytest.mark.parametrize("case", CASES)
def test_a_fork_does_no_harm_when(case: str, place: str, places: dict[str, tuple[str, str]]) -> None:
    run(HEAD + POOLS + CASES[case], *places[place])


POOL_FILE = """
import multiprocessing, sys
import cauce

def count(hour):
    return hour.name, sum(1 for _ in hour.lines()), hour.closed

if __name__ == "__main__":
    lake = cauce.Lake(sys.argv[2], endpoint_url=sys.argv[3] or None)
    hours = lake.hours()
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        assert pool.map(count, hours) == [(hour.name, 2000, True) for hour in hours]
"""


@pytest.mark.parametrize("place", ["folder", "s3"])
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_hours_go_to_the_workers_of_a_pool(
    method: str, place: str, places: dict[str, tuple[str, str]], tmp_path: Path
) -> None:
    # In a file: what spawn starts imports the program again.
    program = tmp_path / "program.py"
    program.write_text(POOL_FILE)
    done = subprocess.run(
        [sys.executable, str(program), method, *places[place]], capture_output=True, text=True, timeout=LIMIT
    )
    assert done.returncode == 0, done.stderr
