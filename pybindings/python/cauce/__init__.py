"""Cauce: the hours of a tweet lake, on S3 or in a folder.

    import cauce

    lake = cauce.Lake("s3://bucket/prefix")
    for hour in lake.hours("2026-11-22", "2026-11-23"):
        print(hour, hour.closed, hour.tweets)
    for line in lake.hour("2026-11-22T05").lines():
        ...

Everything that waits lets other threads run and answers to signals. Whatever is raised is a `cauce.Error` and the built-in error
that fits.
"""

from cauce._errors import (
    AccessDenied,
    ConfigError,
    CorruptObject,
    CorruptRecord,
    Error,
    ForkError,
    HourNotFound,
    LakeNotFound,
    LakeWarning,
    ObjectNotFound,
    StoreError,
    Timeout,
    Unreachable,
)
from cauce._native import (
    Hour,
    Lake,
    Lines,
    Object,
    Records,
    Reject,
    __version__,
)

__all__ = [
    "AccessDenied",
    "ConfigError",
    "CorruptObject",
    "CorruptRecord",
    "Error",
    "ForkError",
    "Hour",
    "HourNotFound",
    "Lake",
    "LakeNotFound",
    "LakeWarning",
    "Lines",
    "Object",
    "ObjectNotFound",
    "Records",
    "Reject",
    "StoreError",
    "Timeout",
    "Unreachable",
    "__version__",
]
