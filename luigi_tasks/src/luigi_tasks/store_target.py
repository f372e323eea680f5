"""A target for files of one's own beside the lake, on S3 or in a folder."""

import os
import pathlib
import re
import tempfile
from types import TracebackType
from typing import Any

import cauce
import luigi
from luigi.format import Format, get_default_format
from luigi.target import AtomicLocalFile

from luigi_tasks import settings


class StoreTarget(luigi.Target):
    """One object, or one file of a folder, by the S3 settings of `[cauce]`.

    It is written as a whole: a task that fails half way leaves nothing, and a reader never sees a part.

    Args:
        url: `s3://bucket/key` or a file's path.
        format: One of `luigi.format`, as for `luigi.LocalTarget`; text by default.
    """

    def __init__(self, url: str | os.PathLike[str], format: Format | None = None) -> None:
        self.url = os.fspath(url)
        self._format = format or get_default_format()
        if found := re.fullmatch(r"(s3[an]?://(?:arn:[^@]*?accesspoint/)?[^/]+)/(.*[^/])", self.url):
            self._root, self._key = found.groups()
        elif "://" in self.url.removeprefix("file://") or self.url.endswith("/"):
            raise settings.SettingsError(f"{settings.without_keys(self.url)!r} is neither s3://bucket/key nor a file's path")
        else:
            path = pathlib.Path(self.url.removeprefix("file://")).absolute()
            self._root, self._key = str(path.parent), path.name

    @property
    def store(self) -> cauce.Store:
        """The bucket or folder."""
        return cauce.Store(self._root, options=settings.current().options)

    def exists(self) -> bool:
        """Whether the object is there: one request."""
        return self.store.exists(self._key)

    def open(self, mode: str = "r") -> Any:
        """Opens it to read (`r`) or to write (`w`), as the format says. What is written is there after `close`.

        Raises:
            FileNotFoundError: there is nothing to read.
        """
        if mode == "r":
            return self._format.pipe_reader(self.store.open(self._key))
        if mode == "w":
            return self._format.pipe_writer(_Upload(self.store, self._key))
        raise ValueError(f"mode {mode!r}: say 'r' or 'w'; bytes are read and written with format=luigi.format.Nop")

    def remove(self) -> None:
        """Removes it; nothing happens where it is missing."""
        self.store.delete(self._key)

    def __str__(self) -> str:
        return settings.without_keys(self.url)


class _Upload(AtomicLocalFile):
    """A temporary file that becomes the object when it is closed, and nothing when its `with` block raises."""

    def __init__(self, store: cauce.Store, key: str) -> None:
        self._store = store
        super().__init__(key)

    def generate_tmp_path(self, path: str) -> str:
        """A name in the folder for temporary files, made so that no other process takes it."""
        handle, name = tempfile.mkstemp(prefix="cauce-target-")
        os.close(handle)
        return name

    def move_to_final_destination(self) -> None:
        """Puts the object."""
        self._store.put(self.path, pathlib.Path(self.tmp_path))

    def __exit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None) -> None:
        """Closes the file; luigi's own leaves it open where the block raised."""
        if exc_type is None:
            self.close()
        else:
            self.raw.close()
            os.remove(self.tmp_path)
