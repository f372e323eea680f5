"""Lines, records and bytes of hours."""

import gc
import gzip
import io
import json
import threading
from pathlib import Path

import cauce
import pytest
from lakes import HOUR, START, Builder, crc64nvme, hours_from, joined, tweets


def one_object(tmp_path: Path, body: bytes, codec: str = "none") -> cauce.Hour:
    builder = Builder()
    builder.hour(START, body, codec=codec)
    return cauce.Lake(builder.to_folder(tmp_path / "one")).hour(HOUR)


def test_lines_come_in_order_without_their_newlines(hour: cauce.Hour) -> None:
    assert list(hour.lines()) == tweets(20)


def test_lines_are_split_at_the_line_feed_alone(tmp_path: Path) -> None:
    body = "a\u2028b\r\n\n\u0085\x0c\n".encode() + b"no newline at the end"
    assert list(one_object(tmp_path, body).lines()) == [
        "a\u2028b\r".encode(),
        b"",
        "\u0085\x0c".encode(),
        b"no newline at the end",
    ]


def test_gzip_of_several_members_is_read(tmp_path: Path) -> None:
    builder = Builder()
    entries = builder.open_hour(START, joined(tweets(2)), codec="gzip")
    twice = gzip.compress(joined(tweets(2))) + gzip.compress(joined(tweets(3, 2)))
    builder.objects[entries[0]["key"]] = twice
    entries[0].update(bytes=len(twice), lines=5, crc64nvme=crc64nvme(twice))
    builder.close(START, entries)
    assert list(cauce.Lake(builder.to_folder(tmp_path)).hour(HOUR).lines()) == tweets(5)


def test_an_hour_without_an_object_has_no_lines(tmp_path: Path) -> None:
    builder = Builder()
    builder.hour(START)
    hour = cauce.Lake(builder.to_folder(tmp_path)).hour(HOUR)
    assert list(hour.lines()) == []
    assert list(hour.records()) == []
    assert hour.open().read() == b""


def test_several_hours_are_read_as_one(lake: cauce.Lake) -> None:
    assert list(lake.lines(lake.hours(closed=True))) == tweets(60)
    assert list(lake.lines([HOUR, hours_from(START, 2)[1]])) == tweets(40)
    assert list(lake.lines(HOUR)) == tweets(20)
    with pytest.raises(cauce.HourNotFound):
        lake.lines([HOUR, "2027-01-01T00"])


def test_an_hour_of_another_lake_is_refused(lake: cauce.Lake, tmp_path: Path) -> None:
    other = one_object(tmp_path, b"x\n")
    with pytest.raises(ValueError, match="is of another lake"):
        lake.lines([other])


def test_a_reading_that_is_closed_gives_no_more(hour: cauce.Hour) -> None:
    lines = hour.lines()
    assert next(lines) == tweets(1)[0]
    lines.close()
    assert list(lines) == []
    with hour.lines() as lines:
        next(lines)
    assert next(lines, None) is None


def test_threads_that_share_an_iterator_get_each_line_once(tmp_path: Path) -> None:
    wanted = [f"{number:06}".encode() for number in range(50_000)]
    lines = one_object(tmp_path, joined(wanted)).lines()
    got: list[list[bytes]] = [[] for _ in range(4)]
    threads = [threading.Thread(target=mine.extend, args=(lines,)) for mine in got]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(line for mine in got for line in mine) == wanted


def test_an_iterator_that_is_dropped_half_read_leaves_nothing_behind(hour: cauce.Hour) -> None:
    for _ in range(200):
        next(hour.lines())
    gc.collect()
    assert list(hour.lines()) == tweets(20)


def test_records_are_what_json_gives(hour: cauce.Hour) -> None:
    assert list(hour.records()) == [json.loads(line) for line in tweets(20)]


ODD = [
    rb'{"id": 123456789012345678901234567890, "lone": "\ud83d", "nul": "\u0000", "e": 1e400}',
    b'{"a": 1, "a": {"b": [1, 2.50, true, null, "\xc3\xb1"]}}',
    b' \t{"padded": -0.0} \r',
    b"{}",
]


@pytest.mark.parametrize("line", ODD)
def test_odd_records_are_what_json_gives(tmp_path: Path, line: bytes) -> None:
    expected = json.loads(line)
    hour = one_object(tmp_path, line + b"\n")
    assert list(hour.records()) == [expected]
    fields = ["e", "a", "id", "lone", "nul", "padded", "missing"]
    (some,) = hour.records(fields=fields)
    assert some == expected
    assert list(some) == [name for name in fields if name in expected]


def test_only_the_wanted_fields_are_read(tmp_path: Path) -> None:
    hour = one_object(tmp_path, b'{"keep": [1, {"x": "\\ud800"}], "drop": {"deep": ["\\ud800"]}, "n": 1}\n')
    assert list(hour.records(["n", "keep"])) == [{"n": 1, "keep": [1, {"x": "\ud800"}]}]


BAD = [b"[1]", b"{", b'{"a": NaN}', b'{"a": 1} x', b"\xff", b"{'a': 1}", b'{"a": ' + b"[" * 100_000, b"nonsense"]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("fields", [None, ["a"]])
def test_a_line_that_is_no_record_is_raised_with_its_place(
    tmp_path: Path, bad: bytes, fields: list[str] | None
) -> None:
    records = one_object(tmp_path, b'{"a": 0}\n\n' + bad + b'\n{"a": 2}\n').records(fields)
    assert next(records) == {"a": 0}
    with pytest.raises(cauce.CorruptRecord) as caught:
        next(records)
    assert isinstance(caught.value, ValueError)
    assert caught.value.key is not None
    assert caught.value.key in str(caught.value)
    assert (caught.value.line, caught.value.offset) == (3, 10)
    assert next(records) == {"a": 2}


@pytest.mark.parametrize("fields", [None, ["a"]])
def test_lines_that_are_no_records_are_skipped_or_collected(tmp_path: Path, fields: list[str] | None) -> None:
    hour = one_object(tmp_path, joined([b'{"a": 1}', *BAD, b'{"a": 2}']))
    skipping = hour.records(fields, "skip")
    assert list(skipping) == [{"a": 1}, {"a": 2}]
    assert (skipping.rejected, skipping.rejects) == (len(BAD), [])
    collecting = hour.records(fields, on_error="collect")
    assert list(collecting) == [{"a": 1}, {"a": 2}]
    assert [reject.bytes for reject in collecting.rejects] == BAD
    assert [reject.line for reject in collecting.rejects] == list(range(2, 2 + len(BAD)))
    assert collecting.rejects[0].reason == "is no JSON object"


def test_another_word_for_errors_is_refused(hour: cauce.Hour) -> None:
    with pytest.raises(ValueError, match="on_error"):
        hour.records(on_error="ignore")  # type: ignore[arg-type]


@pytest.mark.parametrize("codec", ["none", "gzip"])
def test_an_hour_is_a_binary_file(tmp_path: Path, codec: str) -> None:
    builder = Builder()
    bodies = [joined(tweets(12)), b"no newline", joined(tweets(3))]
    builder.hour(START, *bodies, codec=codec)
    hour = cauce.Lake(builder.to_folder(tmp_path)).hour(HOUR)
    expected = joined([*tweets(12), b"no newline", *tweets(3)])
    with hour.open() as file:
        assert file.read() == expected
    with hour.open() as file:
        assert file.readline() == tweets(1)[0] + b"\n"
        assert file.read(7) == tweets(2)[1][:7]
        room = bytearray(5)
        assert file.readinto(room) == 5
        assert bytes(room) == tweets(2)[1][7:12]
    assert file.closed
    with pytest.raises(ValueError, match="closed file"):
        file.read()
    with io.TextIOWrapper(hour.open(), encoding="utf-8", newline="\n") as text:
        assert [json.loads(line)["data"]["id"] for line in text if line.startswith("{")][-1]
    with pytest.raises(io.UnsupportedOperation):
        hour.open().seek(0)


def test_an_object_that_is_gone_is_raised_by_its_key(folder: Path, hour: cauce.Hour) -> None:
    gone = hour.objects[1]
    Path(gone.url).unlink()
    lines = hour.lines()
    with pytest.raises(cauce.ObjectNotFound) as caught:
        list(lines)
    assert isinstance(caught.value, FileNotFoundError)
    assert caught.value.key == gone.key
    assert str(folder) in str(caught.value)
    assert list(lines) == [], "what comes after it would look like the rest"
    with pytest.raises(cauce.ObjectNotFound):
        list(hour.batches(["tweet_id"]))
    with pytest.raises(cauce.ObjectNotFound):
        hour.open().read()


def test_truncated_gzip_ends_with_the_place_where_it_was_cut(tmp_path: Path) -> None:
    builder = Builder()
    entries = builder.open_hour(START, joined(tweets(500)), codec="gzip")
    key = entries[0]["key"]
    cut = builder.objects[key][: len(builder.objects[key]) // 2]
    builder.objects[key] = cut
    entries[0]["bytes"] = len(cut)
    builder.close(START, entries)
    hour = cauce.Lake(builder.to_folder(tmp_path)).hour(HOUR)
    read: list[bytes] = []
    with pytest.raises(cauce.CorruptObject) as caught:
        read.extend(hour.lines())
    assert read == tweets(500)[: len(read)]
    assert isinstance(caught.value, ValueError)
    assert (caught.value.key, caught.value.offset) == (key, len(joined(read)))


def test_a_part_of_an_hour_is_read_by_the_keys_of_its_objects(hour: cauce.Hour) -> None:
    first, second = (item.key for item in hour.objects)
    assert list(hour.lines(objects=[second])) == tweets(20)[12:]
    assert list(hour.lines(objects=[second, first])) == tweets(20)
    assert list(hour.lines(objects=[hour.objects[0].url])) == tweets(12)
    assert list(hour.lines(objects=[])) == []
    assert sum(len(batch) for batch in hour.batches(["tweet_id"], objects=[second])) == 8
    assert sum(len(batch) for batch in hour.batches(["received_at"], objects=[first, first])) == 12


def test_an_object_that_the_hour_does_not_have_is_refused_by_its_name(hour: cauce.Hour) -> None:
    with pytest.raises(ValueError, match=r"hour 2026-11-22T05 has no object 11-22-05/tweets\.1\.json"):
        hour.lines(objects=["11-22-05/tweets.1.json"])
    with pytest.raises(ValueError, match="no late object"):
        hour.batches(objects=[hour.objects[0].key], late=True)


def test_a_key_that_several_lakes_have_must_be_told_by_its_url(tmp_path: Path) -> None:
    for name in ("one", "other"):
        builder = Builder()
        builder.hour(START, joined(tweets(3)))
        builder.to_folder(tmp_path / name)
    hour = cauce.Lake([tmp_path / "one", tmp_path / "other"]).hour(HOUR)
    with pytest.raises(ValueError, match="several lakes"):
        hour.lines(objects=[hour.objects[0].key])
    assert len(list(hour.lines(objects=[hour.objects[1].url]))) == 3
