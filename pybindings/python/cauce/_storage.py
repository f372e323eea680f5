"""How other libraries reach a lake's objects: the lake's own settings in their words.

Pure: it gets the settings and looks at AWS's variables for the endpoint alone, which not every library does.
"""

import os
from typing import Any

LIBRARIES = ("polars", "obstore", "fsspec", "duckdb")


def options(library: str, s3: dict[str, Any]) -> Any:
    """The settings in the words of a library; `s3` is what `Lake._s3` gives, with the keys that the lake was given.

    What is not given is left to the library, which looks at AWS's variables and profiles itself.

    Raises:
        ValueError: There is no such library.
    """
    s3 = {**s3, "endpoint_url": s3["endpoint_url"] or _endpoint()}
    if library in ("polars", "obstore"):
        return _object_store(s3)
    if library == "fsspec":
        return _fsspec(s3)
    if library == "duckdb":
        return _duckdb(s3)
    raise ValueError(f"library: {library!r} must be one of {', '.join(LIBRARIES)}")


def _endpoint() -> str | None:
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None


def _object_store(s3: dict[str, Any]) -> dict[str, str]:
    """Names of the crate `object_store`, which Polars takes as `storage_options` and obstore as keywords."""
    found = {
        "aws_endpoint_url": s3["endpoint_url"],
        "aws_region": s3["region"],
        "aws_access_key_id": s3["access_key_id"],
        "aws_secret_access_key": s3["secret_access_key"],
        "aws_session_token": s3["session_token"],
    }
    if s3["endpoint_url"]:
        found["aws_virtual_hosted_style_request"] = "false" if _path_style(s3) else "true"
        if s3["endpoint_url"].startswith("http://"):
            found["aws_allow_http"] = "true"
    return {name: value for name, value in found.items() if value is not None}


def _fsspec(s3: dict[str, Any]) -> dict[str, Any]:
    """Arguments of `s3fs.S3FileSystem`."""
    found: dict[str, Any] = {
        "endpoint_url": s3["endpoint_url"],
        "key": s3["access_key_id"],
        "secret": s3["secret_access_key"],
        "token": s3["session_token"],
    }
    client = {"region_name": s3["region"]} if s3["region"] else None
    config = {"s3": {"addressing_style": "path"}} if s3["endpoint_url"] and _path_style(s3) else None
    found |= {"client_kwargs": client, "config_kwargs": config}
    return {name: value for name, value in found.items() if value is not None}


def _duckdb(s3: dict[str, Any]) -> str:
    """A `create secret` statement."""
    parts = ["type s3"]
    if s3["access_key_id"]:
        parts += [f"key_id {_quoted(s3['access_key_id'])}", f"secret {_quoted(s3['secret_access_key'])}"]
        if s3["session_token"]:
            parts.append(f"session_token {_quoted(s3['session_token'])}")
    else:
        parts.append("provider credential_chain")
    if s3["region"]:
        parts.append(f"region {_quoted(s3['region'])}")
    if s3["endpoint_url"]:
        scheme, _, address = s3["endpoint_url"].rstrip("/").partition("://")
        parts += [
            f"endpoint {_quoted(address)}",
            f"use_ssl {str(scheme == 'https').lower()}",
            f"url_style {_quoted('path' if _path_style(s3) else 'vhost')}",
        ]
    return f"create or replace secret cauce ({', '.join(parts)})"


def _path_style(s3: dict[str, Any]) -> bool:
    """The bucket is in the path wherever an endpoint is given, unless the settings say otherwise."""
    return s3["path_style"] is not False


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
