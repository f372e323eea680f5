"""A library used in a parent, then in the child of a fork: what Luigi's workers do. fork.py LIBRARY ENDPOINT; hangs where the library does."""

import multiprocessing
import os
import sys
from collections.abc import Callable

from store import BUCKET, HOURS, KEY_ID, REGION, SECRET, answer, count


def with_obstore(endpoint: str) -> Callable[[], int]:
    from obstore.store import S3Store

    options = {"endpoint": endpoint, "region": REGION, "access_key_id": KEY_ID, "secret_access_key": SECRET}
    store = S3Store(BUCKET, virtual_hosted_style_request=False, client_options={"allow_http": True}, **options)

    def lines() -> int:
        found = [one["path"] for page in store.list(f"day/{HOURS[0]}/") for one in page]
        return sum(count(bytes(store.get(path).bytes())) for path in found)

    return lines


def with_polars(endpoint: str) -> Callable[[], int]:
    import polars as pl

    options = {"aws_endpoint_url": endpoint, "aws_access_key_id": KEY_ID, "aws_secret_access_key": SECRET, "aws_region": REGION, "aws_allow_http": "true"}
    lines = pl.scan_ndjson(f"s3://{BUCKET}/day/{HOURS[0]}/*.json", schema=pl.Schema({"data": pl.Struct({"id": pl.String})}), storage_options=options)
    return lambda: lines.select(pl.len()).collect().item()


def with_boto3(endpoint: str) -> Callable[[], int]:
    import boto3

    client = boto3.client("s3", endpoint_url=endpoint, region_name=REGION, aws_access_key_id=KEY_ID, aws_secret_access_key=SECRET)

    def lines() -> int:
        found = client.list_objects_v2(Bucket=BUCKET, Prefix=f"day/{HOURS[0]}/")["Contents"]
        return sum(count(client.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read()) for one in found)

    return lines


def with_cauce(endpoint: str) -> Callable[[], int]:
    from read_cauce import FIRST, lake_at

    lake = lake_at(endpoint, "day")
    return lambda: sum(1 for _ in lake.hour(FIRST).lines())


def child(read: Callable[[], int], expected: int) -> None:
    os._exit(0 if read() == expected else 3)


def main() -> None:
    library, endpoint = sys.argv[1:]
    read = {"obstore": with_obstore, "polars": with_polars, "boto3": with_boto3, "cauce": with_cauce}[library](endpoint)
    expected = read()
    process = multiprocessing.get_context("fork").Process(target=child, args=(read, expected))
    process.start()
    process.join()
    if process.exitcode != 0:
        sys.exit(f"the child ended with {process.exitcode}")
    answer(lines=expected)


if __name__ == "__main__":
    main()
