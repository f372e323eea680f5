"""Settings of a lake and of S3 as one value: what is taken, what is refused, and what becomes of it in requests."""

import ast
import copy
import pickle
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cauce
import pytest
from lakes import S3Server

STUB = Path(cauce.__file__).with_name("_native.pyi")
SECRET = "hush-hush-hush"


class Elsewhere(ThreadingHTTPServer):
    """A server that has no bucket, and says in which region each is."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Moved)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.asked: list[dict[str, str]] = []


class Moved(BaseHTTPRequestHandler):
    server: Elsewhere

    def do_GET(self) -> None:
        self.server.asked.append({name.lower(): value for name, value in self.headers.items()})
        self.send_response(301)
        self.send_header("x-amz-bucket-region", "eu-west-1")
        self.send_header("content-length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    with Elsewhere() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_stubs_name_every_setting_and_no_other() -> None:
    classes = {node.name: node for node in ast.parse(STUB.read_text()).body if isinstance(node, ast.ClassDef)}
    names = [
        item.target.id
        for name in ("_S3Settings", "_LakeSettings")
        for item in classes[name].body
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    ]
    assert sorted(names) == sorted(name for name, _, _ in cauce.LakeOptions.known())


@pytest.mark.parametrize("kind", [cauce.Lake, cauce.Store, cauce.LakeOptions])
def test_a_name_that_is_no_setting_is_refused_with_the_nearest_one(kind: Any) -> None:
    url = [] if kind is cauce.LakeOptions else ["s3://bucket"]
    with pytest.raises(TypeError, match=r'unexpected keyword argument "regoin" \(did you mean region\?\)'):
        kind(*url, regoin="eu-west-1")
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        kind(*url, zzz=None)


def test_a_store_has_no_settings_of_a_lake() -> None:
    with pytest.raises(TypeError, match=r'cauce.Store\(\) got an unexpected keyword argument "pattern"$'):
        cauce.Store("s3://bucket", pattern="%d")  # type: ignore[call-arg]


def test_values_are_given_as_python_or_as_a_file_has_them() -> None:
    python = cauce.LakeOptions(
        path_style=True, max_attempts=5, retry_timeout=90, tags={"team": "data", "kind": "tweets"}, request_payer=False
    )
    text = cauce.LakeOptions(
        path_style="true", max_attempts="5", retry_timeout="1m30s", tags="team=data,kind=tweets", request_payer="false"
    )
    assert python == text
    assert hash(python) == hash(text)
    assert cauce.LakeOptions(retry_timeout=0.25).settings == {"retry_timeout": "250ms"}


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"region": 7}, TypeError, "region must be a text, not int"),
        ({"max_attempts": True}, TypeError, "max_attempts must be a count, not bool"),
        ({"retry_timeout": -1}, ValueError, "retry_timeout must be seconds, 0 or more"),
        ({"path_style": "maybe"}, cauce.ConfigError, 'path_style: "maybe" must be true or false'),
        ({"sse": "AES128"}, cauce.ConfigError, "sse: .* must be one of AES256, aws:kms"),
        ({"sse_kms_key_id": "alias/x"}, cauce.ConfigError, 'sse_kms_key_id needs sse="aws:kms"'),
        ({"endpoint_url": f"http://me:{SECRET}@host"}, cauce.ConfigError, "is no server's address"),
    ],
)
def test_a_value_that_cannot_be_is_refused(settings: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message) as caught:
        cauce.LakeOptions(**settings)
    assert SECRET not in str(caught.value)


def test_a_setting_by_name_stands_over_one_of_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUCE_LAKE__S3__REGION", "us-east-1")
    shared = cauce.LakeOptions(pattern="%Y-%m-%d-%H", acl="private")
    lake = cauce.Lake("s3://bucket", options=shared, acl="bucket-owner-full-control")
    assert lake.pattern == "%Y-%m-%d-%H"
    assert lake.options.settings == {**shared.settings, "acl": "bucket-owner-full-control"}
    assert shared.settings["region"] == "us-east-1"


def test_options_travel_without_keys_which_come_from_where_they_are_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {"access_key_id": "AKIA-" + SECRET, "secret_access_key": SECRET, "session_token": SECRET}
    options = cauce.LakeOptions(region="eu-west-1", **keys)  # type: ignore[arg-type]
    for holder in (options, cauce.Lake("s3://bucket", options=options), cauce.Store("s3://bucket", options=options)):
        assert SECRET.encode() not in pickle.dumps(holder)
        assert SECRET not in repr(holder)
    assert pickle.loads(pickle.dumps(options)) == cauce.LakeOptions(region="eu-west-1") != options
    monkeypatch.setenv("CAUCE_LAKE__S3__ACCESS_KEY_ID", "own")
    monkeypatch.setenv("CAUCE_LAKE__S3__SECRET_ACCESS_KEY", "own")
    opened = cauce.LakeOptions(region="eu-west-1")
    assert pickle.loads(pickle.dumps(options)) == opened
    assert copy.copy(cauce.Lake("s3://bucket", options=options)).options == opened


def test_what_is_put_bears_what_the_options_say(s3: S3Server) -> None:
    client = s3.client()
    client.create_bucket(Bucket="marked")
    store = cauce.Store(
        "s3://marked/x",
        endpoint_url=s3.url,
        storage_class="STANDARD_IA",
        tags={"team": "data + more"},
        sse="AES256",
    )
    store.put("a.csv", b"1,2\n")
    store.put("_SUCCESS", b"")
    data = client.head_object(Bucket="marked", Key="x/a.csv")
    marker = client.head_object(Bucket="marked", Key="x/_SUCCESS")
    assert (data["StorageClass"], data["ServerSideEncryption"]) == ("STANDARD_IA", "AES256")
    assert "StorageClass" not in marker
    assert marker["ServerSideEncryption"] == "AES256"
    tags = client.get_object_tagging(Bucket="marked", Key="x/a.csv")["TagSet"]
    assert tags == [{"Key": "team", "Value": "data + more"}]
    assert client.get_object_tagging(Bucket="marked", Key="x/_SUCCESS")["TagSet"] == []


@pytest.mark.parametrize(
    ("caller", "words"),
    [
        ("python", 'set region="eu-west-1"'),
        ("luigi", "set [cauce] region = eu-west-1"),
        ("spark", 'set .option("region", "eu-west-1")'),
        ("command-line", "set --region eu-west-1"),
    ],
)
def test_a_message_names_the_setting_as_its_caller_writes_it(elsewhere: Elsewhere, caller: str, words: str) -> None:
    options = cauce._native._lake_options(caller, {"endpoint_url": elsewhere.url, "request_payer": "true"})
    lake = pickle.loads(pickle.dumps(cauce.Lake("s3://bucket", options=options)))
    with pytest.raises(cauce.ConfigError) as caught:
        lake.hours()
    assert str(caught.value).endswith(words)
    assert {request["x-amz-request-payer"] for request in elsewhere.asked} == {"requester"}
