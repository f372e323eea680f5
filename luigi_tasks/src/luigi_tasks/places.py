"""Folders and S3 prefixes that luigi_tasks itself reads and writes: the Parquet files and the reports.

The lake is not read here: `cauce` does that. One filesystem object is kept for each process, since a connection that two processes share
mixes up their answers.
"""

import functools
import os
import pathlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pyarrow import fs

from luigi_tasks.settings import S3, SettingsError

# Listings that run at a time: enough to hide an S3 server's latency, few enough for any of them.
_LISTINGS = 16
# From so many folders on, one listing of all of them costs fewer calls than one for each: a page holds a thousand names.
_FOLDERS_EACH = 31


@dataclass(frozen=True)
class Place:
    """A folder, or a bucket and prefix."""

    url: str
    s3: S3

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
        if self.s3.endpoint_url:
            return f"{self.s3.endpoint_url.rstrip('/')}/{bucket}?list-type=2&prefix={quote(prefix)}"
        return f"https://console.aws.amazon.com/s3/buckets/{bucket}?prefix={quote(prefix)}"

    def exists(self, name: str) -> bool:
        """Whether this very object or file is there: one request."""
        try:
            self._fs.open_input_file(f"{self.path}/{name}").close()
        except FileNotFoundError:
            return False
        return True

    def open(self, name: str) -> Any:
        """A file to read from, at any position.

        Raises:
            FileNotFoundError: there is nothing of this name.
        """
        return self._fs.open_input_file(f"{self.path}/{name}")

    def names(self, folders: Iterable[str]) -> set[str]:
        """All names under these folders of the place, in as few listings as that takes; what is not there holds nothing."""
        asked = sorted(set(folders))
        roots = [f"{self.path}/{folder}" for folder in asked] if len(asked) < _FOLDERS_EACH else [self.path]
        filesystem, start = self._fs, len(self.path) + 1

        def listed(root: str) -> list[str]:
            found = filesystem.get_file_info(fs.FileSelector(root, allow_not_found=True, recursive=True))
            return [info.path[start:] for info in found if info.type == fs.FileType.File]

        with ThreadPoolExecutor(min(_LISTINGS, len(roots) or 1)) as pool:
            return {name for names in pool.map(listed, roots) for name in names}

    def write(self, name: str, content: bytes) -> None:
        """Writes a file so that a reader sees all of it or nothing: S3 shows an object when it is whole, a folder by renaming."""
        path = f"{self.path}/{name}"
        if _is_s3(self.url):
            self._put(path, content)
            return
        self._fs.create_dir(os.path.dirname(path), recursive=True)
        staged = f"{os.path.dirname(path)}/.{os.path.basename(path)}.staged"
        self._put(staged, content)
        self._fs.move(staged, path)

    def _put(self, path: str, content: bytes) -> None:
        with self._fs.open_output_stream(path) as stream:
            stream.write(content)

    @property
    def _fs(self) -> Any:
        return _filesystem(self.path.split("/")[0] if _is_s3(self.url) else None, self.s3, os.getpid())


def _is_s3(url: str) -> bool:
    return url.startswith(("s3://", "s3a://", "s3n://"))


@functools.lru_cache(maxsize=16)
def _filesystem(bucket: str | None, s3: S3, _process: int) -> Any:
    if bucket is None:
        return fs.LocalFileSystem()
    options: dict[str, Any] = {}
    if s3.endpoint_url:
        scheme, _, address = s3.endpoint_url.rstrip("/").partition("://")
        options |= {"scheme": scheme, "endpoint_override": address}
        options["force_virtual_addressing"] = s3.path_style is False
    if s3.access_key_id:
        options |= {"access_key": s3.access_key_id, "secret_key": s3.secret_access_key, "session_token": s3.session_token}
    region = s3.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if region is None:
        region = "us-east-1" if s3.endpoint_url else fs.resolve_s3_region(bucket)
    return fs.S3FileSystem(region=region, **options)
