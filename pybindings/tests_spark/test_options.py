"""The options of `format("cauce")` that are settings of the lake: by its own table, and without keys."""

import pickle

import cauce
import pytest
from pyspark_cauce._options import Options, _camel_case


def values() -> dict[str, str]:
    """A value of each setting but keys."""
    special = {
        "endpoint_url": "http://127.0.0.1:1",
        "tags": "a=1",
        "flume_escapes": "strict",
        "sse": "aws:kms",
        "acl": "private",
        "checksum": "SHA256",
        "pattern": "%m-%d-%h",
        "time_zone": "UTC",
    }
    kinds = {"text": "x", "switch": "true", "count": "5", "duration": "45s"}
    known = cauce.LakeOptions.known()
    return {name: special.get(name) or kinds[kind] for name, kind, _ in known if kind != "secret"}


def test_every_setting_is_an_option_in_camel_case_in_small_letters_as_spark_hands_it_over() -> None:
    given = {_camel_case(name): value for name, value in values().items()}
    assert {"endpointUrl", "storageClass", "sseKmsKeyId"} <= given.keys()
    asked = Options.read({"path": "s3://bucket", **{name.lower(): value for name, value in given.items()}})
    assert asked.lake().options.settings == values()
    assert pickle.loads(pickle.dumps(asked)).lake().options.settings == values()


@pytest.mark.parametrize("name", [name for name, kind, _ in cauce.LakeOptions.known() if kind == "secret"])
def test_a_key_is_no_option_and_stands_in_no_pickle(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="Spark shows options in its plans") as caught:
        Options.read({"path": "s3://bucket", _camel_case(name).lower(): "hush"})
    assert "hush" not in str(caught.value)
    monkeypatch.setenv("CAUCE_LAKE__S3__ACCESS_KEY_ID", "hush")
    monkeypatch.setenv("CAUCE_LAKE__S3__SECRET_ACCESS_KEY", "hush")
    asked = Options.read({"path": "s3://bucket"})
    assert b"hush" not in pickle.dumps(asked)
    assert "hush" not in repr(asked)
