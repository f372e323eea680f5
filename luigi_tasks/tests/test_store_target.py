"""Files of one's own beside the lake, by the settings of the lake."""

import pathlib
from collections.abc import Iterator

import luigi
import luigi.configuration
import luigi.format
import pytest
from servers import Moto

from luigi_tasks import SettingsError, StoreTarget


@pytest.fixture
def s3_url(moto: Moto, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket on the server that luigi.cfg names."""
    config = tmp_path / "luigi.cfg"
    config.write_text(
        f"[cauce]\nendpoint_url = {moto.url}\nregion = us-east-1\n[s3]\naws_access_key_id = test\naws_secret_access_key = test\n"
    )
    monkeypatch.setattr(luigi.configuration.LuigiConfigParser, "_config_paths", [str(config)])
    monkeypatch.setattr(luigi.configuration.LuigiConfigParser, "_instance", None)
    yield f"s3://{moto.make_bucket('target')}/a/b"
    luigi.task.Task.clear_instance_cache()


@pytest.fixture(params=["folder", "s3"])
def url(request: pytest.FixtureRequest, s3_url: str, tmp_path: pathlib.Path) -> str:
    return s3_url if request.param == "s3" else str(tmp_path / "targets")


def test_text_that_is_written_is_there_after_the_block(url: str) -> None:
    target = StoreTarget(f"{url}/counts.csv")
    assert not target.exists()
    with target.open("w") as file:
        file.write("hour,tweets\n")
        assert not target.exists()
        file.write("2026-11-22T05,3ü\n")
    assert target.exists()
    with target.open() as file:
        assert file.read() == "hour,tweets\n2026-11-22T05,3ü\n"
    target.remove()
    target.remove()
    assert not target.exists()


def test_a_block_that_raises_leaves_nothing(url: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    target = StoreTarget(f"{url}/half.csv")

    def fail() -> None:
        with target.open("w") as file:
            file.write("half of it")
            raise RuntimeError("the task failed")

    with pytest.raises(RuntimeError, match="the task failed"):
        fail()
    assert not target.exists()
    assert list(scratch.iterdir()) == []


def test_bytes_go_through_a_format_of_luigis(url: str) -> None:
    plain = StoreTarget(f"{url}/x.bin", format=luigi.format.Nop)
    with plain.open("w") as file:
        file.write(b"\x00\xff")
    with plain.open("r") as file:
        assert file.read() == b"\x00\xff"
    packed = StoreTarget(f"{url}/x.gz", format=luigi.format.Gzip)
    with packed.open("w") as file:
        file.write(b"x" * 10_000)
    with StoreTarget(f"{url}/x.gz", format=luigi.format.Nop).open("r") as file:
        assert len(file.read()) < 1000
    with packed.open("r") as file:
        assert file.read() == b"x" * 10_000


@pytest.mark.usefixtures("s3_url")
@pytest.mark.parametrize("url", ["s3://bucket", "s3://bucket/", "s3://bucket/folder/", "gs://bucket/x", "folder/"])
def test_what_names_no_object_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="neither s3://bucket/key nor a file's path"):
        StoreTarget(url)


def test_what_is_written_bears_what_the_section_says(
    moto: Moto, tmp_path: pathlib.Path, s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "luigi.cfg"
    config.write_text(config.read_text().replace("[s3]", "storage_class = STANDARD_IA\ntags = team=data\n[s3]"))
    monkeypatch.setattr(luigi.configuration.LuigiConfigParser, "_instance", None)
    with StoreTarget(f"{s3_url}/counts.csv").open("w") as file:
        file.write("hour,tweets\n")
    bucket, _, key = s3_url.removeprefix("s3://").partition("/")
    client = moto.client()
    assert client.head_object(Bucket=bucket, Key=f"{key}/counts.csv")["StorageClass"] == "STANDARD_IA"
    tags = client.get_object_tagging(Bucket=bucket, Key=f"{key}/counts.csv")["TagSet"]
    assert tags == [{"Key": "team", "Value": "data"}]


def test_an_access_point_stands_in_a_buckets_place() -> None:
    target = StoreTarget("s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/tweets/a/b.csv")
    assert target.store.url == "s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/tweets"
    assert target._key == "a/b.csv"
