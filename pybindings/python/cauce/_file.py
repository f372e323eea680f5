"""The file that `Hour.open` gives: `io`'s own buffered reader over the module's blocks."""

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Buffer

    from cauce._native import Blocks

BUFFER_BYTES = 256 * 1024


class HourFile(io.RawIOBase):
    """The bytes of an hour's objects, unbuffered."""

    def __init__(self, blocks: "Blocks", name: str) -> None:
        self._blocks = blocks
        self.name = name

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: "Buffer", /) -> int:
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
