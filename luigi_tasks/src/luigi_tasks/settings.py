"""Where the lake, the Parquet and the reports are: section `[cauce]` of luigi's configuration.

A setting is taken from `[cauce]` (or a flag such as `--cauce-lake`), else from luigi's own `[s3]` section, else from the
variables that `ingest` knows (`CAUCE_LAKE__URL`). Keys of an S3 server are no luigi parameters: a parameter may end up in a task's
id, a log or the scheduler's page. Nothing here opens a connection: luigi asks for outputs thousands of times.
"""

import os
import re
from configparser import NoOptionError, NoSectionError
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import luigi
from cauce import ConfigError, LakeOptions
from cauce._native import _lake_options
from luigi.configuration import LuigiConfigParser, get_config


class SettingsError(ValueError):
    """A setting is missing or cannot be read; the text names it and says what to do."""


def _known_settings() -> dict[str, luigi.Parameter[Any]]:
    """A parameter for each setting of `cauce` but its keys."""
    found: dict[str, luigi.Parameter[Any]] = {}
    for name, kind, what in LakeOptions.known():
        parameter: Any = luigi.OptionalBoolParameter if kind == "switch" else luigi.OptionalStrParameter
        if kind != "secret":
            found[name] = parameter(default=None, description=what)
    return found


class cauce(luigi.Config):
    """Section `[cauce]`; docs/luigi.md has the table of its keys. The settings of `cauce` itself come from its own table."""

    # In the body of the class, as luigi's parameters learn their names while it is made.
    vars().update(_known_settings())

    lake: str | None = luigi.OptionalStrParameter(default=None, description="URL or folder of the lake; several by comma are read as one")
    parquet: str | None = luigi.OptionalStrParameter(default=None, description="URL or folder of the Parquet files")
    reports: str | None = luigi.OptionalStrParameter(default=None, description="URL or folder of the reports")
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
class Keys:
    """Keys of an S3 server, for the environment of a program that is started. None: AWS's own chain has them."""

    access_key_id: str | None = field(default=None, repr=False)
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Settings:
    """The settings in force; hashable, so that one client is kept for each."""

    lakes: tuple[str, ...]
    parquet: str | None
    reports: str | None
    tracking_url: str | None
    # How lakes are read and S3 is reached, handed on as it is: `cauce.Store(url, options=options)`.
    options: LakeOptions
    keys: Keys


def current() -> Settings:
    """The settings as configuration, flags and variables give them now.

    Raises:
        SettingsError: one cannot be used; the text names it.
    """
    _refuse_typos()
    own = cauce()
    lakes = own.lake or variable("URL") or ""
    keys = _keys()
    return Settings(
        lakes=tuple(url.strip() for url in lakes.split(",") if url.strip()),
        parquet=own.parquet,
        reports=own.reports,
        tracking_url=own.tracking_url,
        options=_options(own, keys),
        keys=keys,
    )


def _refuse_typos() -> None:
    """Refuses a key of the section that is nearly a setting. Others may be there for a `%(name)s` in the section."""
    config, section = get_config(), cauce.get_task_family()
    if not isinstance(config, LuigiConfigParser) or not config.has_section(section):
        return
    known = [name for name, _ in cauce.get_params()]
    for name in sorted(set(config.options(section)) - set(config.defaults())):
        spelled = name.replace("-", "_")
        if spelled not in known and (near := get_close_matches(spelled, known, 1, 0.8)):
            raise SettingsError(f"[cauce] {name} is no setting: did you mean {near[0]}?")


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


def _options(own: cauce, keys: Keys) -> LakeOptions:
    given: dict[str, Any] = {"endpoint_url": raw_text("s3", "endpoint_url"), "region": raw_text("s3", "region_name"), **vars(keys)}
    for name, kind, _ in LakeOptions.known():
        if kind != "secret" and (value := getattr(own, name)) not in (None, ""):
            given[name] = value
    try:
        return _lake_options("luigi", {name: value for name, value in given.items() if value not in (None, "")})
    except ConfigError as error:
        raise SettingsError(str(error)) from None


def _keys() -> Keys:
    """All keys from one place, never half from each."""
    names = ("access_key_id", "secret_access_key", "session_token")
    section = {name: raw_text("s3", f"aws_{name}") or None for name in names}
    if section["access_key_id"] or section["secret_access_key"]:
        return Keys(**section)
    return Keys(**{name: variable(f"S3__{name.upper()}") for name in names})


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
