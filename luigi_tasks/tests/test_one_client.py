"""Luigi reaches S3 the way `ingest` and `cauce` do, on servers that lack something and with credentials of every kind."""

import datetime as dt
import io
import pathlib
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pyarrow.parquet as pq
import pytest
from gate import Gate
from servers import Moto
from tweets import FIRST, HOURS, Tweet
from world import World, clean_environment, text

STOP = HOURS[-1] + dt.timedelta(hours=1)
REPORT = ["SummaryReport", "--start", text(FIRST), "--stop", text(STOP)]
# What a server that knows no chunked signatures overlooks: it stores the chunks' frames with the content.
CHUNKED = frozenset(
    {"content-encoding", "x-amz-decoded-content-length", "x-amz-trailer", "x-amz-content-sha256", "x-amz-sdk-checksum-algorithm"}
)


def objects(world: World) -> dict[str, bytes]:
    """What the world's luigi has written, as boto3 reads it."""
    assert world.moto is not None
    client, bucket = world.moto.client(), world.parquet.split("/")[2]
    keys = [found["Key"] for found in client.list_objects_v2(Bucket=bucket).get("Contents", [])]
    return {key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


def check_written(world: World, tweets: list[Tweet]) -> None:
    found = objects(world)
    name = f"reports/{text(FIRST)}_{text(STOP)}"
    assert found[f"{name}/index.html"].startswith(b"<!doctype html>")
    assert found[f"{name}/summary.json"].startswith(b"{")
    parquet = [content for key, content in found.items() if key.endswith(".parquet")]
    assert sum(pq.read_metadata(io.BytesIO(content)).num_rows for content in parquet) == len(tweets)


def refuse_trailers(headers: Mapping[str, str]) -> bool:
    return "x-amz-trailer" in headers or "x-amz-checksum-mode" in headers


@pytest.mark.parametrize(
    "server",
    [{"unknown": CHUNKED}, {"refused": refuse_trailers}],
    ids=["that stores chunked bodies as they come", "that refuses checksum trailers and modes"],
)
def test_the_right_bytes_get_to_a_server(server: dict[str, Any], world_s3: World, moto: Moto, tweets: list[Tweet]) -> None:
    with Gate(moto, **server) as gate:
        world_s3.endpoint = gate.url
        code, said = world_s3.luigi(*REPORT)
        assert code == 0, said
        # One client for everything: no other one has come by.
        assert len({agent.split("/")[0] for agent in gate.agents}) == 1, gate.agents
    check_written(world_s3, tweets)


def test_a_web_identity_and_an_endpoint_by_variable_serve_all_and_luigi_exits(
    world_s3: World, moto: Moto, tweets: list[Tweet], tmp_path: pathlib.Path
) -> None:
    token = tmp_path / "token"
    token.write_text("a token of the cluster")
    world_s3.variables = {
        "AWS_ENDPOINT_URL": moto.url,
        "AWS_REGION": "us-east-1",
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/reader",
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
    }
    code, said = world_s3.luigi(*REPORT)
    assert code == 0, said
    check_written(world_s3, tweets)


def test_an_endpoint_in_a_profile_serves_all(world_s3: World, moto: Moto, tweets: list[Tweet], tmp_path: pathlib.Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        f"[profile lab]\nregion = us-east-1\nendpoint_url = {moto.url}\naws_access_key_id = test\naws_secret_access_key = test\n"
    )
    world_s3.variables = {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"), "AWS_PROFILE": "lab"}
    code, said = world_s3.luigi(*REPORT)
    assert code == 0, said
    check_written(world_s3, tweets)


def test_no_process_of_a_report_has_a_second_client(world_s3: World, moto: Moto, tweets: list[Tweet]) -> None:
    code, said = world_s3.luigi(*REPORT, "--workers", "3")
    assert code == 0, said
    # Forked tasks among them; that luigi's own tests all come by here is in `World.watched`.
    notes = world_s3.watched()
    assert len(notes) > 1
    assert {note["arrow_s3"] for note in notes} >= {False}, "pyarrow is what this is about"
    check_written(world_s3, tweets)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("from pyarrow.fs import S3FileSystem; S3FileSystem(endpoint_override={!r})", "pyarrow has opened S3"),
        (
            "import socket; socket.create_connection({!r}.removeprefix('http://').split(':')).close()",
            "Python's own sockets have reached the S3 server",
        ),
    ],
    ids=["pyarrow's", "Python's"],
)
@pytest.mark.parametrize("forked", [False, True])
def test_a_second_client_is_noticed(code: str, message: str, forked: bool, moto: Moto, lake_s3: str, tmp_path: pathlib.Path) -> None:
    world = World(tmp_path / "world", lake_s3, moto=moto)
    world.notes.mkdir()
    line = code.format(moto.url)
    if forked:
        child = f"multiprocessing.get_context('fork').Process(target=exec, args=({line!r},))"
        line = f"import multiprocessing; child = {child}; child.start(); child.join()"
    watched = pathlib.Path(__file__).parent / "watched"
    variables = clean_environment({"PYTHONPATH": str(watched), "WATCHED": str(world.notes)})
    subprocess.run([sys.executable, "-c", line], env=variables, check=True)
    with pytest.raises(AssertionError, match=message):
        world.watched()
