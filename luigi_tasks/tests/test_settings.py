"""Section `[cauce]` and what stands in for it."""

import pathlib
import pickle
from collections.abc import Callable

import cauce
import luigi.configuration
import pytest

from luigi_tasks import settings
from luigi_tasks.places import Place

Configure = Callable[[str], settings.Settings]


@pytest.fixture
def configure(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Reads a luigi.cfg as luigi does at its start."""
    for name in ("URL", "PATTERN", "TIME_ZONE", "FLUME_ESCAPES", "S3__ENDPOINT_URL", "S3__REGION", "S3__PATH_STYLE"):
        monkeypatch.delenv(f"CAUCE_LAKE__{name}", raising=False)

    def read(text: str) -> settings.Settings:
        path = tmp_path / "luigi.cfg"
        path.write_text(text)
        monkeypatch.setattr(luigi.configuration.LuigiConfigParser, "_config_paths", [str(path)])
        monkeypatch.setattr(luigi.configuration.LuigiConfigParser, "_instance", None)
        return settings.current()

    return read


@pytest.mark.parametrize("pattern", ["%m-%d-%h", "%%m-%%d-%%h"])
def test_a_pattern_is_written_as_it_is_or_with_doubled_percent_signs(configure: Configure, pattern: str) -> None:
    assert configure(f"[cauce]\nlake = lake\npattern = {pattern}\n").options.settings["pattern"] == "%m-%d-%h"


def test_one_key_of_the_section_may_refer_to_another(configure: Configure) -> None:
    now = configure("[cauce]\nlake = s3://b/lake\nparquet = %(lake)s-parquet\npattern = %m-%d-%h\n")
    assert (now.parquet, now.options.settings["pattern"]) == ("s3://b/lake-parquet", "%m-%d-%h")


def test_several_lakes_are_given_by_comma(configure: Configure) -> None:
    assert configure("[cauce]\nlake = s3://a/x, ./b\n").lakes == ("s3://a/x", "./b")


def test_the_section_wins_over_s3_which_wins_over_variables(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUCE_LAKE__URL", "s3://variable/x")
    monkeypatch.setenv("CAUCE_LAKE__S3__ENDPOINT_URL", "http://variable")
    monkeypatch.setenv("CAUCE_LAKE__S3__REGION", "variable")
    monkeypatch.setenv("CAUCE_LAKE__S3__PATH_STYLE", "false")
    now = configure("[cauce]\nregion = own\n[s3]\nendpoint_url = http://section\nregion_name = section\n")
    assert now.lakes == ("s3://variable/x",)
    assert now.options.settings == {"endpoint_url": "http://section", "region": "own", "path_style": "false"}


def test_a_variable_that_is_set_to_nothing_counts_as_not_set(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUCE_LAKE__URL", "")
    assert configure("").lakes == ()


def test_keys_are_texts_that_nothing_changes_and_nothing_shows(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SECRET", "se%cret")
    now = configure("[s3]\naws_access_key_id = 00123\naws_secret_access_key = ${MY_SECRET}\n")
    assert (now.keys.access_key_id, now.keys.secret_access_key) == ("00123", "se%cret")
    assert "00123" not in repr(now)
    assert "se%cret" not in repr(now)


def test_keys_come_from_one_place_and_never_half_from_each(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUCE_LAKE__S3__SESSION_TOKEN", "of the variables")
    now = configure("[s3]\naws_access_key_id = a\naws_secret_access_key = b\n")
    assert now.keys.session_token is None


def test_a_reference_to_a_variable_that_is_not_set_names_it(configure: Configure) -> None:
    with pytest.raises(settings.SettingsError, match="NO_SUCH_VARIABLE"):
        configure("[s3]\naws_secret_access_key = ${NO_SUCH_VARIABLE}\n")


def test_every_setting_of_cauce_but_a_key_is_a_setting_of_the_section(configure: Configure) -> None:
    values = {"text": "x", "switch": "true", "count": "5", "duration": "45s"}
    special = {
        "endpoint_url": "http://s3",
        "tags": "a=1",
        "flume_escapes": "strict",
        "sse": "aws:kms",
        "acl": "private",
        "checksum": "SHA256",
        "pattern": "%m-%d-%h",
        "time_zone": "Asia/Tokyo",
    }
    known = {name: special.get(name) or values[kind] for name, kind, _ in cauce.LakeOptions.known() if kind != "secret"}
    now = configure("[cauce]\n" + "".join(f"{name} = {value}\n" for name, value in known.items()))
    assert now.options.settings == known


def test_a_slip_in_a_settings_name_is_refused_with_the_nearest_one(configure: Configure) -> None:
    with pytest.raises(settings.SettingsError, match=r"\[cauce\] storage_clas is no setting: did you mean storage_class\?"):
        configure("[cauce]\nstorage_clas = STANDARD_IA\n")


@pytest.mark.filterwarnings("ignore:.*not consumed by the task:UserWarning")  # luigi's own, which is no error of ours
def test_a_key_that_others_refer_to_may_have_any_name(configure: Configure) -> None:
    assert configure("[DEFAULT]\nregio = x\n[cauce]\nroot = s3://b\nlake = %(root)s/lake\n").lakes == ("s3://b/lake",)


def test_a_value_that_cannot_be_is_named_as_the_section_has_it(configure: Configure) -> None:
    with pytest.raises(settings.SettingsError, match=r"\[cauce\] retry_timeout: \"soon\" is no duration"):
        configure("[cauce]\nretry_timeout = soon\n")


def test_the_options_are_pickled_without_keys(configure: Configure) -> None:
    now = configure("[cauce]\nregion = eu-west-1\n[s3]\naws_access_key_id = hush-id\naws_secret_access_key = hush\n")
    pickled = pickle.dumps(now.options)
    assert b"hush" not in pickled
    assert "hush" not in repr(now.options)
    assert pickle.loads(pickled).settings == {"region": "eu-west-1"}


def test_what_is_missing_is_named_with_what_to_do() -> None:
    with pytest.raises(settings.SettingsError, match=r"\[cauce\] reports is not set.*--cauce-reports"):
        settings.needed(None, "reports")


def test_keys_in_a_url_are_not_shown() -> None:
    assert settings.without_keys("s3n://KEY:SE/CRET@bucket/x") == "s3n://bucket/x"
    assert settings.without_keys("s3://bucket/a@b") == "s3://bucket/a@b"


@pytest.mark.parametrize("url", ["s3://", "s3:///prefix", "s3n://KEY:SECRET@bucket/x", "gs://bucket/x"])
def test_a_place_that_cannot_be_is_refused_without_repeating_keys(url: str) -> None:
    with pytest.raises(settings.SettingsError) as refused:
        _ = Place(url, cauce.LakeOptions()).path
    assert "SECRET" not in str(refused.value)
