"""Folders and S3 prefixes that luigi_tasks itself reads and writes: the Parquet files and the reports.

Everything goes through `cauce.Store`, the client that reads the lake: one set of credentials, endpoints and errors. It makes one connection
pool a process, and a new one after a fork.
"""

import pathlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BufferedReader
from urllib.parse import quote

import cauce

from luigi_tasks.settings import SettingsError

# Listings that run at a time: enough to hide an S3 server's latency, few enough for any of them.
_LISTINGS = 16
# From so many folders on, one listing of all of them costs fewer calls than one for each: a page holds a thousand names.
_FOLDERS_EACH = 31


@dataclass(frozen=True)
class Place:
    """A folder, or a bucket and prefix."""

    url: str
    options: cauce.LakeOptions

    @property
    def path(self) -> str:
        """The name that the filesystem knows the place by."""
        if _is_s3(self.url):
            path = self.url.partition("://")[2].rstrip("/")
            bucket = path.split("/")[0]
            if not bucket or "@" in bucket:
                # What stands there may be a key, so it is not repeated.
                raise SettingsError("a URL names no bucket, or holds keys: write s3://bucket/prefix, and the keys into [s3]")
            return path
        if "://" in self.url.removeprefix("file://"):
            raise SettingsError(f"{self.url!r} is neither s3://bucket/prefix nor a folder")
        return str(pathlib.Path(self.url.removeprefix("file://")).absolute())

    def url_of(self, name: str) -> str:
        """The full name of something in the place, for messages and links."""
        return f"{self.url.rstrip('/')}/{name}"

    def page(self, folder: str) -> str:
        """An address that a browser opens, of a folder in the place."""
        if not _is_s3(self.url):
            return pathlib.Path(self.path, folder).as_uri()
        bucket, _, prefix = f"{self.path}/{folder}/".partition("/")
        if endpoint := self.options.settings.get("endpoint_url"):
            return f"{endpoint.rstrip('/')}/{bucket}?list-type=2&prefix={quote(prefix)}"
        return f"https://console.aws.amazon.com/s3/buckets/{bucket}?prefix={quote(prefix)}"

    def exists(self, name: str) -> bool:
        """Whether this very object or file is there: one request."""
        return self.store.exists(name)

    def open(self, name: str) -> BufferedReader:
        """A file to read from, at any position.

        Raises:
            FileNotFoundError: there is nothing of this name.
        """
        return self.store.open(name)

    def names(self, folders: Iterable[str]) -> set[str]:
        """All names under these folders of the place, in as few listings as that takes; what is not there holds nothing."""
        asked = sorted(set(folders))
        roots = [f"{folder}/" for folder in asked] if len(asked) < _FOLDERS_EACH else [""]
        store = self.store

        def listed(root: str) -> list[str]:
            return [found.key for found in store.list(root)]

        with ThreadPoolExecutor(min(_LISTINGS, len(roots) or 1)) as pool:
            return {name for names in pool.map(listed, roots) for name in names}

    def write(self, name: str, content: bytes) -> None:
        """Writes a file so that a reader sees all of it or nothing."""
        self.store.put(name, content)

    @property
    def store(self) -> cauce.Store:
        """The place's objects."""
        url = self.url if _is_s3(self.url) else self.path
        return cauce.Store(url, options=self.options)


def _is_s3(url: str) -> bool:
    return url.startswith(("s3://", "s3a://", "s3n://"))
