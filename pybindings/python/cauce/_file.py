"""The files that `Hour.open` and `Store.open` give: `io`'s own buffered reader over the module's bytes."""

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from cauce._native import Blocks, Store

BUFFER_BYTES = 256 * 1024


class HourFile(io.RawIOBase):
    """The bytes of an hour's objects, unbuffered."""

    def __init__(self, blocks: "Blocks", name: str) -> None:
        self._blocks = blocks
        self.name = name

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Fill the beginning of a buffer; 0 at the end."""
        self._check_open()
        with memoryview(buffer).cast("B") as view:
            return self._blocks.readinto(view)

    def readall(self) -> bytes:
        """Read all that is left."""
        self._check_open()
        return b"".join(iter(self._blocks.read, b""))

    def close(self) -> None:
        """End the reading and its requests."""
        if not self.closed:
            try:
                self._blocks.close()
            finally:
                super().close()

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")


def open_blocks(blocks: "Blocks", name: str) -> io.BufferedReader:
    """Make a file of blocks."""
    return io.BufferedReader(HourFile(blocks, name), BUFFER_BYTES)


class ObjectFile(io.RawIOBase):
    """The bytes of one object, at any position, unbuffered: one request a read."""

    def __init__(self, store: "Store", key: str, size: int, etag: str) -> None:
        self._store, self._key, self._size, self._etag = store, key, size, etag
        self._at = 0
        self.name = f"{store.url}/{key}"

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to a position; one behind the end reads as empty."""
        self._check_open()
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"negative seek position {base + offset}")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """Say the position."""
        self._check_open()
        return self._at

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Fill the beginning of a buffer; 0 at the end."""
        self._check_open()
        with memoryview(buffer).cast("B") as view:
            content = self._read(len(view))
            view[: len(content)] = content
        return len(content)

    def readall(self) -> bytes:
        """Read all that is left."""
        self._check_open()
        return self._read(self._size)

    def _read(self, length: int) -> bytes:
        length = min(length, self._size - self._at)
        if length <= 0:
            return b""
        content = self._store._read_range(self._key, self._etag, self._at, length)
        self._at += len(content)
        return content

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")


def open_object(store: "Store", key: str, size: int, etag: str) -> io.BufferedReader:
    """Make a file of one object."""
    return io.BufferedReader(ObjectFile(store, key, size, etag), BUFFER_BYTES)
