"""How `RangeHourly` asks for 2,880 hours on S3, half of them closed: our `bulk_complete` and Luigi's own mixin, in one run.

    .venv/bin/python luigi_tasks/benchmarks/bulk_complete.py [HOURS]

moto's S3 server runs beside it on the loopback and its log counts the requests; every hour has its manifest in both cases, so that
both ask the same question. Prints a table.
"""

import datetime as dt
import os
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests"))

import luigi
import luigi.contrib.s3
from luigi.task import MixinNaiveBulkComplete
from servers import Moto
from test_bulk import manifest

from luigi_tasks import HourParameter, TweetHour
from luigi_tasks.hours import hour_text

BUCKET = "benchmark"


class LuigisOwn(MixinNaiveBulkComplete, luigi.ExternalTask):  # type: ignore[misc]  # luigi's mixin is untyped
    """The same question asked the way Luigi's documentation shows."""

    hour: dt.datetime = HourParameter()

    def output(self) -> luigi.contrib.s3.S3Target:
        """The manifest."""
        return luigi.contrib.s3.S3Target(f"s3://{BUCKET}/lake/_hours/{hour_text(self.hour)}.json", client=_client())


def _client() -> luigi.contrib.s3.S3Client:
    return luigi.contrib.s3.S3Client(endpoint_url=os.environ["CAUCE_LAKE__S3__ENDPOINT_URL"], region_name="us-east-1")


def measured(moto: Moto, ask: Callable[[Iterable[Any]], list[Any]], hours: list[dt.datetime]) -> tuple[int, int, float]:
    """How many hours were found complete, with how many requests, in how many seconds."""
    before, began = len(moto.requests(BUCKET)), time.monotonic()
    found = ask(list(hours))
    seconds = time.monotonic() - began
    return len(found), len(moto.requests(BUCKET)) - before, seconds


def main() -> None:
    """Fills the lake, asks both ways, prints."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2_880
    last = dt.datetime(2026, 11, 22, 5)
    hours = [last - dt.timedelta(hours=number) for number in range(count)]
    with tempfile.TemporaryDirectory() as folder, Moto(pathlib.Path(folder) / "moto.log") as moto:
        os.environ |= {**moto.variables(), "CAUCE_LAKE__URL": f"s3://{BUCKET}/lake"}
        client = moto.client()
        client.create_bucket(Bucket=BUCKET)
        with ThreadPoolExecutor(8) as pool:
            list(
                pool.map(
                    lambda hour: client.put_object(Bucket=BUCKET, Key=f"lake/_hours/{hour_text(hour)}.json", Body=manifest(hour)),
                    hours[::2],
                )
            )
        print(f"{count:,} hours, {len(hours[::2]):,} closed\n\n| who | complete | requests | seconds |\n|---|---|---|---|")
        for name, ask in (("TweetHour.bulk_complete", TweetHour.bulk_complete), ("MixinNaiveBulkComplete", LuigisOwn.bulk_complete)):
            found, requests, seconds = measured(moto, ask, hours)
            print(f"| {name} | {found:,} | {requests:,} | {seconds:.2f} |", flush=True)


if __name__ == "__main__":
    main()
