"""The examples of docs/python.md run as they stand, one after the other."""

import re
from pathlib import Path
from typing import Any

import pytest

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "python.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_examples_of_the_document_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    names: dict[str, Any] = {}
    blocks = BLOCK.findall(DOCUMENT.read_text())
    assert len(blocks) >= 6
    for block in blocks:
        exec(compile(block, str(DOCUMENT), "exec"), names)
    assert names["table"].num_rows == names["count"] == len(names["frame"]) == len(names["data"]) == 20
    assert names["rows"] == [("ana", 20)]
    assert len(names["ready"]) == 3
