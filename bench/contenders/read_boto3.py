"""boto3: one after the other, or `--at-once N` with threads that share a client."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from botocore.config import Config
from store import BUCKET, KEY_ID, REGION, SECRET, YEAR, answer, asked, count


def main() -> None:
    given = asked()
    client = boto3.client(
        "s3",
        endpoint_url=given.endpoint,
        region_name=REGION,
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
        config=Config(max_pool_connections=max(10, given.at_once), s3={"addressing_style": "path"}),
    )

    def listed(prefix: str) -> list[tuple[str, int]]:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [(one["Key"], one["Size"]) for page in pages for one in page.get("Contents", ())]

    def lines(key: str) -> int:
        return count(client.get_object(Bucket=BUCKET, Key=key)["Body"].read())

    with ThreadPoolExecutor(given.at_once) as pool:

        def every(call: Callable[[str], Any], over: Iterable[str]) -> list[Any]:
            return list(pool.map(call, over)) if given.at_once > 1 else [call(one) for one in over]

        if given.task == "year":
            answer(hours=len(listed(YEAR)))
            return
        found = [one for of_hour in every(listed, given.prefixes) for one in of_hour]
        if given.task == "list":
            answer(objects=len(found), bytes=sum(size for _, size in found))
        else:
            answer(lines=sum(every(lines, [key for key, _ in found])))


if __name__ == "__main__":
    main()
