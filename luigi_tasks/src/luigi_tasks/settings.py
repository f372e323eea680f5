"""Where the lake, the Parquet and the reports are: section `[cauce]` of luigi's configuration.

A setting is taken from `[cauce]` (or a flag such as `--cauce-lake`), else from luigi's own `[s3]` section, else from the
variables that `ingest` knows (`CAUCE_LAKE__URL`). Keys of an S3 server are no luigi parameters: a parameter may end up in a task's
id, a log or the scheduler's page. Nothing here opens a connection: luigi asks for outputs thousands of times.
"""

import os
import re
from configparser import NoOptionError, NoSectionError
from dataclasses import dataclass, field
from typing import Any

import luigi
from luigi.configuration import LuigiConfigParser, get_config


class SettingsError(ValueError):
    """A setting is missing or cannot be read; the text names it and says what to do."""


class cauce(luigi.Config):
    """Section `[cauce]`; docs/luigi.md has the table of its keys."""

    lake: str | None = luigi.OptionalStrParameter(default=None, description="URL or folder of the lake; several by comma are read as one")
    pattern: str | None = luigi.OptionalStrParameter(default=None, description="the lake's partition pattern")
    time_zone: str | None = luigi.OptionalStrParameter(default=None, description="the pattern's time zone")
    flume_escapes: str | None = luigi.OptionalStrParameter(default=None, description="cauce, or strict for folders as Flume names them")
    parquet: str | None = luigi.OptionalStrParameter(default=None, description="URL or folder of the Parquet files")
    reports: str | None = luigi.OptionalStrParameter(default=None, description="URL or folder of the reports")
    endpoint_url: str | None = luigi.OptionalStrParameter(default=None, description="address of an S3 server that is not AWS's")
    region: str | None = luigi.OptionalStrParameter(default=None, description="region of the buckets")
    path_style: bool | None = luigi.OptionalBoolParameter(default=None, description="bucket in the path; so wherever endpoint_url is set")
    tracking_url: str | None = luigi.OptionalStrParameter(
        default=None, description="page of an hour: {date}, {hour} and {HH} are filled in"
    )

    @classmethod
    def get_param_values(cls, params: Any, args: Any, kwargs: Any) -> Any:
        """Luigi's reading of the section, in which a `%` of a pattern is no mark of the configuration file's own."""
        _escape_percent(cls.get_task_family())
        return super().get_param_values(params, args, kwargs)


def _escape_percent(section: str) -> None:
    """Doubles each `%` of a section that stands alone, as Python's configuration files want it: `%m` is refused otherwise."""
    config = get_config()
    if isinstance(config, LuigiConfigParser) and config.has_section(section):
        for name, text in config.items(section, raw=True):
            if (escaped := re.sub(r"%%|%(?!\()", "%%", text)) != text:
                config.set(section, name, escaped)


@dataclass(frozen=True)
class S3:
    """How S3 is reached. None: AWS's own chain and variables say so."""

    endpoint_url: str | None = None
    region: str | None = None
    path_style: bool | None = None
    access_key_id: str | None = field(default=None, repr=False)
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Settings:
    """The settings in force; hashable, so that one client is kept for each."""

    lakes: tuple[str, ...]
    pattern: str | None
    time_zone: str | None
    flume_escapes: str | None
    parquet: str | None
    reports: str | None
    tracking_url: str | None
    s3: S3


def s3_arguments(s3: S3) -> dict[str, Any]:
    """The S3 settings as `cauce` names them, without those that are not set."""
    return {name: value for name, value in vars(s3).items() if value is not None}


def current() -> Settings:
    """The settings as configuration, flags and variables give them now."""
    own = cauce()
    lakes = own.lake or variable("URL") or ""
    return Settings(
        lakes=tuple(url.strip() for url in lakes.split(",") if url.strip()),
        pattern=own.pattern or variable("PATTERN"),
        time_zone=own.time_zone or variable("TIME_ZONE"),
        flume_escapes=own.flume_escapes or variable("FLUME_ESCAPES"),
        parquet=own.parquet,
        reports=own.reports,
        tracking_url=own.tracking_url,
        s3=_s3(own),
    )


def without_keys(url: str) -> str:
    """A URL for messages: Flume's `s3n://KEY:SECRET@bucket/…` is shown without what stands before the bucket."""
    # A secret may hold a slash; a bucket's name holds no colon.
    return re.sub(r"^([a-z0-9]+://)(?:[^/]*@|[^/@]*:.*@)", r"\1", url)


def needed(value: str | None, name: str) -> str:
    """A setting without which nothing works.

    Raises:
        SettingsError: it is not set.
    """
    if not value:
        raise SettingsError(f"[cauce] {name} is not set: write it into luigi.cfg, or give --cauce-{name}")
    return value


def _s3(own: cauce) -> S3:
    path_style = own.path_style
    if path_style is None and (text := variable("S3__PATH_STYLE")):
        path_style = _flag(text, "CAUCE_LAKE__S3__PATH_STYLE")
    return S3(
        endpoint_url=own.endpoint_url or raw_text("s3", "endpoint_url") or variable("S3__ENDPOINT_URL"),
        region=own.region or raw_text("s3", "region_name") or variable("S3__REGION"),
        path_style=path_style,
        **_keys(),
    )


def _keys() -> dict[str, str | None]:
    """All keys from one place, never half from each."""
    names = ("access_key_id", "secret_access_key", "session_token")
    section = {name: raw_text("s3", f"aws_{name}") or None for name in names}
    if section["access_key_id"] or section["secret_access_key"]:
        return section
    return {name: variable(f"S3__{name.upper()}") for name in names}


def variable(name: str) -> str | None:
    """A `CAUCE_LAKE__` variable; one that is set to nothing counts as not set."""
    return os.environ.get(f"CAUCE_LAKE__{name}") or None


def raw_text(section: str, name: str) -> str | None:
    """A key of the configuration as text: `${NAME}` is filled in from the environment, `%` means nothing.

    luigi's S3 client makes numbers of what looks like one, and its interpolation refuses a secret that holds a `%`.

    Raises:
        SettingsError: `${NAME}` names a variable that is not set.
    """
    try:
        text = str(get_config().get(section, name, raw=True))
    except (NoSectionError, NoOptionError, KeyError):
        return None

    def filled(found: re.Match[str]) -> str:
        try:
            return os.environ[found.group(1)]
        except KeyError:
            raise SettingsError(f"[{section}] {name} asks for the variable {found.group(1)}, which is not set") from None

    return re.sub(r"\$\{([^}]+)\}", filled, text)


def _flag(text: str, name: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise SettingsError(f"{name} is {text!r}: say true or false")
    return text.lower() == "true"
