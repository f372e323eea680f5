"""Hours and converted hours are the same frames in pandas 2 and 3."""

import json
from pathlib import Path

import cauce
import pytest
from pandas_versions import VERSIONS, run

PROGRAM = """
import json, sys
import cauce
columns = ["tweet_id", "text", "created_at", "received_at", "author"]  # of which the table has an order of its own
frames = [
    cauce.Lake(sys.argv[1]).to_pandas(columns=columns, closed=True),
    pandas.read_parquet(sys.argv[2], columns=columns),
]
for frame in frames:
    assert set(frame.columns) == set(columns)
    assert str(frame["created_at"].dt.tz) == "UTC", frame.dtypes
    frame = frame.sort_values("tweet_id")
    moments = [[moment.isoformat() for moment in frame[name]] for name in ("created_at", "received_at")]
    authors = [author["username"] for author in frame["author"]]
    print(json.dumps(list(zip(frame["tweet_id"].tolist(), frame["text"], *moments, authors))))
"""


@pytest.mark.parametrize("version", VERSIONS)
def test_a_range_and_its_parquet_are_the_same_frame_in_pandas(
    version: str, lake: cauce.Lake, folder: Path, tmp_path: Path
) -> None:
    cauce.convert(lake, None, tmp_path / "pq")
    rows = lake.to_arrow(columns=["tweet_id", "text", "created_at", "received_at", "author.username"], closed=True)
    wanted = [
        [
            row["tweet_id"],
            row["text"],
            row["created_at"].isoformat(),
            row["received_at"].isoformat(),
            row["author"]["username"],
        ]
        for row in rows.sort_by("tweet_id").to_pylist()
    ]
    assert len(wanted) == 60
    found = [json.loads(line) for line in run(version, PROGRAM, folder, tmp_path / "pq").splitlines()]
    assert found == [wanted, wanted]
