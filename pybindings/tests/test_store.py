"""`cauce.Store`: objects of a bucket or folder for tasks of one's own, by the client that reads lakes."""

import io
import multiprocessing
import pickle
import uuid
from pathlib import Path

import cauce
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lakes import S3Server


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, s3: S3Server) -> cauce.Store:
    if request.param == "folder":
        return cauce.Store(tmp_path / "not yet there")
    bucket = f"store-{uuid.uuid4().hex}"
    s3.client().create_bucket(Bucket=bucket)
    return cauce.Store(f"s3://{bucket}/a@b/c", endpoint_url=s3.url)


def test_what_is_put_is_listed_and_read_back(store: cauce.Store) -> None:
    assert store.list() == []
    assert not store.exists("x/one")
    store.put("x/one", b"first")
    store.put("x/two", memoryview(b"second"))
    store.put("y", b"")
    assert [(found.key, found.bytes) for found in store.list()] == [("x/one", 5), ("x/two", 6), ("y", 0)]
    assert [found.key for found in store.list("x/t")] == ["x/two"]
    assert store.exists("x/one")
    assert store.read("x/one") == b"first"
    assert store.read("y") == b""
    head = store.head("x/two")
    assert (head.key, head.bytes) == ("x/two", 6)
    assert head.modified.tzinfo is not None
    store.delete("x/one")
    store.delete("x/one")
    assert not store.exists("x/one")


def test_a_part_ends_where_the_object_does(store: cauce.Store) -> None:
    store.put("x", b"0123456789")
    assert store.read("x", 3, 4) == b"3456"
    assert store.read("x", 8, 100) == b"89"
    assert store.read("x", 7) == b"789"
    assert store.read("x", 10) == store.read("x", 99, 1) == store.read("x", 0, 0) == b""


def test_a_condition_that_does_not_hold_changes_nothing(store: cauce.Store) -> None:
    tag = store.put("x", b"first", if_absent=True)
    with pytest.raises(cauce.AlreadyThere) as refused:
        store.put("x", b"second", if_absent=True)
    assert isinstance(refused.value, FileExistsError)
    assert refused.value.key == "x"
    newer = store.put("x", b"second", if_match=tag)
    with pytest.raises(cauce.AlreadyThere):
        store.put("x", b"third", if_match=tag)
    assert store.read("x") == b"second"
    assert store.put("x", b"third", if_match=newer)
    with pytest.raises(ValueError, match="exclude each other"):
        store.put("x", b"", if_absent=True, if_match=newer)


def test_a_file_is_put_by_its_path(store: cauce.Store, tmp_path: Path) -> None:
    # Longer than one part of an upload in parts.
    content = bytes(range(256)) * (20 * 4096)
    (tmp_path / "file").write_bytes(content)
    store.put("large", tmp_path / "file")
    assert store.read("large") == content
    assert (tmp_path / "file").read_bytes() == content


def test_an_object_that_is_missing_or_no_key_is_named(store: cauce.Store) -> None:
    for ask in (store.read, store.open, store.head):
        with pytest.raises(cauce.ObjectNotFound) as missing:
            ask("not/there")
        assert isinstance(missing.value, FileNotFoundError)
        assert missing.value.key == "not/there"
        assert "not/there" in str(missing.value)
    for key in ("../x", "/x", "a//b", ""):
        with pytest.raises(ValueError, match="is no key"):
            store.read(key)


def test_an_open_object_is_a_file_that_seeks(store: cauce.Store) -> None:
    store.put("x", bytes(range(256)) * 4096)
    with store.open("x") as file:
        assert isinstance(file, io.BufferedReader)
        assert file.seek(-2, io.SEEK_END) == 256 * 4096 - 2
        assert file.read() == b"\xfe\xff"
        assert file.read() == b""
        file.seek(256 * 1000)
        assert file.read(3) == b"\x00\x01\x02"
        assert file.tell() == 256 * 1000 + 3
    with pytest.raises(ValueError, match="closed"):
        file.read()


def test_parquet_is_read_from_an_open_object(store: cauce.Store) -> None:
    table = pa.table({"id": list(range(100_000))})
    sink = io.BytesIO()
    pq.write_table(table, sink)
    store.put("t.parquet", sink.getvalue())
    with store.open("t.parquet") as file:
        assert pq.read_table(file).equals(table)


def test_a_read_of_an_object_that_was_replaced_is_an_error_and_no_mixture(store: cauce.Store) -> None:
    store.put("x", b"a" * 1_000_000)
    with store.open("x") as file:
        assert file.read(10) == b"a" * 10
        store.put("x", b"b" * 1_000_000)
        with pytest.raises(cauce.CorruptObject, match="was replaced while it was read"):
            file.read()


def test_a_pickle_holds_no_keys(s3: S3Server) -> None:
    store = cauce.Store(
        "s3://bucket/x", endpoint_url=s3.url, access_key_id="AKIA-HUSH", secret_access_key="HUSH", session_token="HUSH"
    )
    pickled = pickle.dumps(store)
    assert b"HUSH" not in pickled
    assert "HUSH" not in repr(store)
    again = pickle.loads(pickled)
    assert again == store
    assert again.url == "s3://bucket/x"


def test_a_store_is_used_in_forked_workers(store: cauce.Store) -> None:
    store.put("x", b"content")
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(store.read, ["x"] * 8) == [b"content"] * 8


def test_keys_in_a_url_are_refused_and_not_repeated() -> None:
    for url in ("s3://KEY:hush@bucket/x", "s3n://KEY:hu/sh@bucket/x", "s3://hush@bucket"):
        with pytest.raises(cauce.ConfigError, match="holds credentials") as refused:
            cauce.Store(url)
        assert "hush" not in str(refused.value)
        assert "hu/sh" not in str(refused.value)
