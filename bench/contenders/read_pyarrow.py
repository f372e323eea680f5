"""pyarrow.fs, one after the other or `--at-once N` with threads; for the typed table pyarrow.json on top."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pyarrow import fs
from store import BUCKET, KEY_ID, REGION, SECRET, YEAR, answer, asked, count


def main() -> None:
    given = asked()
    store = fs.S3FileSystem(access_key=KEY_ID, secret_key=SECRET, region=REGION, endpoint_override=given.endpoint)

    def listed(prefix: str) -> list[Any]:
        return store.get_file_info(fs.FileSelector(f"{BUCKET}/{prefix}", recursive=True))

    def read(path: str) -> bytes:
        with store.open_input_stream(path) as stream:
            return stream.read()

    with ThreadPoolExecutor(given.at_once) as pool:

        def every(call: Callable[[str], Any], over: Iterable[str]) -> list[Any]:
            return list(pool.map(call, over)) if given.at_once > 1 else [call(one) for one in over]

        if given.task == "year":
            answer(hours=len(listed(YEAR)))
            return
        found = [one for of_hour in every(listed, given.prefixes) for one in of_hour]
        paths = [one.path for one in found]
        if given.task == "list":
            answer(objects=len(found), bytes=sum(one.size for one in found))
        elif given.task == "table":
            import typed_pyarrow

            table = typed_pyarrow.typed(every(lambda path: typed_pyarrow.parse(read(path)), paths))
            answer(rows=table.num_rows, columns=table.num_columns, text_bytes=typed_pyarrow.text_bytes(table))
        else:
            answer(lines=sum(every(lambda path: count(read(path)), paths)))


if __name__ == "__main__":
    main()
