"""Hours that S3 has archived, and credentials that are not there: said in full, and of what they concern alone."""

import hashlib
import json
import pickle
from pathlib import Path

import cauce
import pytest
from lakes import HOUR, START, Builder, S3Server, hours_from, joined, tweets

SSO = """
[profile etl]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = reader
[sso-session corp]
sso_region = us-east-1
sso_start_url = https://corp.awsapps.com/start
"""
ARCHIVED = "archived in storage class GLACIER: restore it, or leave this hour out"


def a_lake(s3: S3Server, bucket: str, archived: str) -> tuple[cauce.Lake, str]:
    """Three closed hours, of the second of which the object or the manifest is archived."""
    builder = Builder()
    entries = [builder.hour(hour, joined(tweets(10, 10 * number))) for number, hour in enumerate(hours_from(START, 3))]
    url = builder.to_bucket(s3, bucket)
    key: str = entries[1][0]["key"] if archived == "object" else "_hours/2026-11-22T06.json"
    s3.client().copy_object(Bucket=bucket, Key=key, CopySource={"Bucket": bucket, "Key": key}, StorageClass="GLACIER")
    return cauce.Lake(url, endpoint_url=s3.url), key


@pytest.mark.parametrize("archived", ["object", "manifest"])
def test_an_archived_hour_fails_alone_and_can_be_skipped(s3: S3Server, tmp_path: Path, archived: str) -> None:
    lake, key = a_lake(s3, f"archived-{archived}", archived)
    with pytest.raises(cauce.ConvertFailed, match="1 of 3 hours were not converted") as caught:
        cauce.convert(lake, hours_from(START, 3), tmp_path / "parquet")
    assert isinstance(caught.value.__cause__, cauce.ObjectArchived)
    assert ARCHIVED in str(caught.value.__cause__)
    assert [hour.name for hour in caught.value.summary.hours] == [HOUR, "2026-11-22T07"]
    assert list(caught.value.summary.failed) == ["2026-11-22T06"]
    done = cauce.convert(lake, hours_from(START, 3), tmp_path / "parquet", skip_archived=True)
    assert (done.failed, list(done.archived), len(done.hours)) == ({}, ["2026-11-22T06"], 2)
    assert key in str(done.archived["2026-11-22T06"])
    assert list(pickle.loads(pickle.dumps(done)).archived) == ["2026-11-22T06"]


def test_an_archived_object_is_raised_by_its_key(s3: S3Server) -> None:
    lake, key = a_lake(s3, "archived-read", "object")
    with pytest.raises(cauce.ObjectArchived, match=ARCHIVED) as caught:
        list(lake.lines("2026-11-22T06"))
    assert caught.value.key == key
    assert isinstance(caught.value, (cauce.StoreError, OSError))


def test_an_archived_manifest_is_left_out_of_a_listing_with_a_warning(s3: S3Server) -> None:
    lake, _ = a_lake(s3, "archived-listed", "manifest")
    with pytest.warns(cauce.LakeWarning, match="cannot be read: .*archived in storage class GLACIER"):
        assert [hour.name for hour in lake.hours()] == [HOUR, "2026-11-22T07"]
    with pytest.raises(cauce.ObjectArchived, match="2026-11-22T06"):
        lake.hour("2026-11-22T06")


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A profile with SSO and no key in the environment; the folder that is home."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_CONFIG_FILE"):
        monkeypatch.delenv(name)
    (tmp_path / ".aws/sso/cache").mkdir(parents=True)
    (tmp_path / ".aws/config").write_text(SSO)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_PROFILE", "etl")
    return tmp_path


@pytest.mark.parametrize("token", ["missing", "expired"])
def test_an_sso_profile_without_a_token_asks_for_a_login(s3: S3Server, profile: Path, token: str) -> None:
    if token == "expired":
        name = hashlib.sha1(b"corp").hexdigest()
        text = json.dumps({"accessToken": "hush", "expiresAt": "2020-01-01T00:00:00Z"})
        (profile / f".aws/sso/cache/{name}.json").write_text(text)
    lake = cauce.Lake(f"s3://sso-{token}", endpoint_url=s3.url)
    for ask in (lake.hours, lambda: cauce.Store(f"s3://sso-{token}", endpoint_url=s3.url).exists("x")):
        with pytest.raises(cauce.AccessDenied) as caught:
            ask()
        said = str(caught.value)
        assert f'profile "etl" of {profile}/.aws/config (SSO): ' in said
        assert "run aws sso login --profile etl" in said
        assert "environment: AWS_ACCESS_KEY_ID is not set" in said
        assert "hush" not in said


def test_a_credential_process_that_fails_is_said_with_its_own_words(s3: S3Server, profile: Path) -> None:
    (profile / ".aws/config").write_text(
        "[profile etl]\ncredential_process = sh -c 'echo no ticket >&2; exit 3' hush\n"
    )
    with pytest.raises(cauce.AccessDenied) as caught:
        cauce.Lake("s3://process", endpoint_url=s3.url).hours()
    assert "(credential_process): sh ended with exit status: 3 and on standard error: no ticket" in str(caught.value)
    assert "hush" not in str(caught.value)
