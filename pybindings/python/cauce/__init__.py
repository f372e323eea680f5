"""Cauce: the hours of a tweet lake, on S3 or in a folder.

    import cauce

    lake = cauce.Lake("s3://bucket/prefix")
    for hour in lake.hours("2026-11-22", "2026-11-23"):
        print(hour, hour.closed, hour.tweets)
    for line in lake.hour("2026-11-22T05").lines():
        ...

Everything that waits lets other threads run and answers to signals. Whatever is raised is a `cauce.Error` and the
built-in error that fits.
"""

from cauce import _methods
from cauce._convert import HourReport, Progress, Summary
from cauce._errors import (
    AccessDenied,
    AlreadyThere,
    ConfigError,
    ConvertFailed,
    CorruptObject,
    CorruptRecord,
    Error,
    ForkError,
    HourNotClosed,
    HourNotFound,
    LakeNotFound,
    LakeWarning,
    ObjectArchived,
    ObjectNotFound,
    StoreError,
    Timeout,
    Unreachable,
)
from cauce._native import (
    Batch,
    Batches,
    BatchStream,
    Hour,
    Lake,
    LakeOptions,
    Lines,
    Object,
    Records,
    Reject,
    Schema,
    Store,
    StoredObject,
    __version__,
    convert,
    schema,
)

__all__ = [
    "AccessDenied",
    "AlreadyThere",
    "Batch",
    "BatchStream",
    "Batches",
    "ConfigError",
    "ConvertFailed",
    "CorruptObject",
    "CorruptRecord",
    "Error",
    "ForkError",
    "Hour",
    "HourNotClosed",
    "HourNotFound",
    "HourReport",
    "Lake",
    "LakeNotFound",
    "LakeOptions",
    "LakeWarning",
    "Lines",
    "Object",
    "ObjectArchived",
    "ObjectNotFound",
    "Progress",
    "Records",
    "Reject",
    "Schema",
    "Store",
    "StoreError",
    "StoredObject",
    "Summary",
    "Timeout",
    "Unreachable",
    "__version__",
    "convert",
    "schema",
]

_methods.put()
