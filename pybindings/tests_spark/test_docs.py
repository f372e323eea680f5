"""The Python examples of docs/spark.md run as they stand, over a lake in a folder, and its table names every option."""

import re
from pathlib import Path
from typing import Any

from pyspark_cauce._options import _WRITTEN

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "spark.md").read_text()
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_examples_of_the_document_run(spark: Any, folder: Path) -> None:
    names: dict[str, Any] = {"spark": spark}
    blocks = BLOCK.findall(TEXT)
    assert len(blocks) == 4
    for block in blocks:
        placed = block.replace("s3://my-bucket/tweets", str(folder)).replace("/data/", f"{folder.parent}/")
        exec(compile(placed, "docs/spark.md", "exec"), names)
    assert names["day"].count() == names["tweets"].count() == 60
    assert [tuple(row) for row in names["authors"].collect()] == [("ana", 60)]
    assert names["few"] == 40
    assert spark.read.parquet(str(folder.parent / "streamed")).count() == 60


def test_the_document_names_every_option_and_no_other() -> None:
    table = TEXT.split("| option |")[1].split("\n\n")[0]
    named = {name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert named == {"path", "url", *_WRITTEN.values()}
