"""Which lake is meant, and what of it travels."""

import copy
import pickle
from pathlib import Path

import cauce
import pytest
from lakes import HOUR, tweets

SECRET = "hush-hush-hush"


def test_without_a_url_the_lake_comes_from_variables(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUCE_LAKE__URL", str(folder))
    monkeypatch.setenv("CAUCE_LAKE__PATTERN", "%m-%d-%H")
    monkeypatch.setenv("CAUCE_LAKE__TIME_ZONE", "UTC")
    lake = cauce.Lake()
    assert (lake.urls, lake.pattern, lake.time_zone) == ([str(folder)], "%m-%d-%H", "UTC")
    assert cauce.Lake(pattern="%m-%d-%h").pattern == "%m-%d-%h", "what is given wins"
    assert len(lake.hours(closed=True)) == 3


def test_a_variable_set_to_nothing_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUCE_LAKE__URL", "")
    with pytest.raises(cauce.ConfigError, match="CAUCE_LAKE__URL"):
        cauce.Lake()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"url": "hdfs://x/y"}, "hdfs"),
        ({"url": ""}, "empty"),
        ({"url": "s3:bucket"}, "s3://bucket/prefix"),
        ({"url": []}, "no lake is given"),
        ({"url": "x", "pattern": "%d", "time_zone": "Nowhere/Never"}, "Nowhere"),
        ({"url": "x", "time_zone": "Europe/Madrid"}, "pattern"),
        ({"url": "x", "flume_escapes": "other"}, "flume_escapes"),
        ({"url": "x", "access_key_id": "id"}, "secret_access_key is missing"),
        ({"url": "x", "concurrency": 0}, "concurrency"),
        ({"url": "x", "memory_bytes": 1}, "memory_bytes"),
        ({"url": "x", "timeout": 0}, "timeout"),
        ({"url": "x", "timeout": float("nan")}, "timeout"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(arguments: dict[str, object], told: str) -> None:
    with pytest.raises(cauce.ConfigError, match=told):
        cauce.Lake(**arguments)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=told):
        cauce.Lake(**arguments)  # type: ignore[arg-type]


def test_credentials_in_the_url_are_refused_without_repeating_them() -> None:
    with pytest.raises(cauce.ConfigError) as caught:
        cauce.Lake(f"s3://id:{SECRET}@bucket/x")
    assert SECRET not in str(caught.value)


def test_a_reference_in_a_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUCE_LAKE__S3__SECRET_ACCESS_KEY", "${file:/run/secrets/key}")
    with pytest.raises(cauce.ConfigError, match="CAUCE_LAKE__S3__SECRET_ACCESS_KEY is a reference"):
        cauce.Lake("s3://bucket")


def test_a_folder_that_is_not_there_is_no_empty_lake(tmp_path: Path) -> None:
    lake = cauce.Lake(tmp_path / "slip")
    for ask in (lake.hours, lambda: lake.closed([HOUR]), lambda: lake.hour(HOUR)):
        with pytest.raises(cauce.LakeNotFound, match="slip"):
            ask()


def test_a_folder_stays_the_same_when_the_program_moves(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    lake = cauce.Lake(folder.name)
    monkeypatch.chdir("/")
    assert len(lake.hours()) == 4


def test_a_lake_is_pickled_as_what_it_was_made_of_but_never_with_keys() -> None:
    lake = cauce.Lake(
        "s3://bucket/x",
        pattern="%Y-%m-%d-%H",
        time_zone="Asia/Tokyo",
        endpoint_url="http://127.0.0.1:1",
        region="eu-west-1",
        path_style=True,
        access_key_id="AKIA-" + SECRET,
        secret_access_key=SECRET,
        session_token="token-" + SECRET,
        concurrency=3,
        memory_bytes=1 << 21,
        timeout=7.5,
    )
    pickled = pickle.dumps(lake)
    assert SECRET.encode() not in pickled
    again = pickle.loads(pickled)
    assert again == lake
    assert again.__getnewargs_ex__() == lake.__getnewargs_ex__()
    assert SECRET not in repr(lake)
    assert copy.copy(lake) == lake


def test_keys_from_variables_stay_out_of_a_pickle_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUCE_LAKE__S3__ACCESS_KEY_ID", "id")
    monkeypatch.setenv("CAUCE_LAKE__S3__SECRET_ACCESS_KEY", SECRET)
    assert SECRET.encode() not in pickle.dumps(cauce.Lake("s3://bucket/x"))


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_an_hour_is_looked_up_again_out_of_its_pickle(lake: cauce.Lake, protocol: int) -> None:
    for hour in lake.hours():
        again = pickle.loads(pickle.dumps(hour, protocol))
        assert again == hour
        assert (again.start, again.granularity) == (hour.start, hour.granularity)
        assert repr(again) == f"<cauce.Hour {hour.name}>", "a look asks nothing"
        assert (again.tweets, again.closed) == (hour.tweets, hour.closed)
    assert list(pickle.loads(pickle.dumps(lake.hour(HOUR))).lines()) == tweets(20)


@pytest.mark.parametrize("name", [name for name in cauce.__all__ if name[0].isupper()])
def test_errors_are_pickled_with_what_they_tell(name: str) -> None:
    kind = getattr(cauce, name)
    if not issubclass(kind, cauce.Error):
        return
    error = pickle.loads(pickle.dumps(kind("what", key="a/b", offset=7, line=2)))
    assert type(error) is kind
    assert (str(error), error.key, error.offset, error.line) == ("what", "a/b", 7, 2)
