"""obstore: one after the other, or `--at-once N` with its asynchronous calls."""

import asyncio
from typing import Any

from obstore.store import S3Store
from store import BUCKET, KEY_ID, REGION, SECRET, YEAR, Asked, answer, asked, count


async def many(store: S3Store, given: Asked) -> dict[str, int]:
    gate = asyncio.Semaphore(given.at_once)

    async def listed(prefix: str) -> list[Any]:
        async with gate:
            return list((await store.list_with_delimiter_async(prefix))["objects"])

    async def lines(path: str) -> int:
        async with gate:
            got = await store.get_async(path)
            return count(bytes(await got.bytes_async()))

    found = [one for of_hour in await asyncio.gather(*map(listed, given.prefixes)) for one in of_hour]
    if given.task == "list":
        return {"objects": len(found), "bytes": sum(one["size"] for one in found)}
    return {"lines": sum(await asyncio.gather(*(lines(one["path"]) for one in found)))}


def one_by_one(store: S3Store, given: Asked) -> dict[str, int]:
    if given.task == "year":
        return {"hours": sum(len(page) for page in store.list(YEAR, chunk_size=1000))}
    found = [one for prefix in given.prefixes for page in store.list(prefix) for one in page]
    if given.task == "list":
        return {"objects": len(found), "bytes": sum(one["size"] for one in found)}
    return {"lines": sum(count(bytes(store.get(one["path"]).bytes())) for one in found)}


def main() -> None:
    given = asked()
    store = S3Store(
        BUCKET,
        endpoint=given.endpoint,
        region=REGION,
        access_key_id=KEY_ID,
        secret_access_key=SECRET,
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )
    answer(**(asyncio.run(many(store, given)) if given.at_once > 1 else one_by_one(store, given)))


if __name__ == "__main__":
    main()
