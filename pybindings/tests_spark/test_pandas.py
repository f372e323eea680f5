"""`toPandas` gives the lake's own moments in pandas 2 and 3, in the zone that the session has."""

import json
from pathlib import Path

import cauce
import pytest
from pandas_versions import VERSIONS, run

ZONE = "America/Los_Angeles"
PROGRAM = """
import json, sys
from sessions import clean_environment, session
folder, zone = sys.argv[1:]
with clean_environment(), session({"spark.sql.session.timeZone": zone}) as spark:
    schema = "tweet_id long, received_at timestamp, author struct<username: string>"
    frame = spark.read.format("cauce").schema(schema).load(folder).orderBy("tweet_id").toPandas()
moments = frame["received_at"].dt.tz_localize(zone).dt.tz_convert("UTC")
print(json.dumps([frame["tweet_id"].tolist(), [moment.isoformat() for moment in moments], len(frame["author"])]))
"""


@pytest.mark.parametrize("version", VERSIONS)
def test_a_frame_of_spark_has_the_lakes_moments_in_pandas(version: str, folder: Path) -> None:
    found = json.loads(run(version, PROGRAM, folder, ZONE).splitlines()[-1])
    rows = cauce.Lake(folder).to_arrow(columns=["tweet_id", "received_at"], closed=True).sort_by("tweet_id").to_pylist()
    assert found == [[row["tweet_id"] for row in rows], [row["received_at"].isoformat() for row in rows], 60]
