"""`async for` over lines, records and batches.

The module's own threads read. A thread of the event loop's executor waits for them, so that the loop goes on.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class ReadAhead(Generic[T]):
    """The items of an iterable, `at_once` of them for each change of threads."""

    def __init__(self, items: Iterable[T], at_once: int) -> None:
        self._items, self._at_once = items, at_once
        self._iterator: Iterator[T] | None = None
        self._ready: deque[T] = deque()
        # What ended the reading, raised when the items before it have been given.
        self._end: Exception | None = None
        self._fetching: asyncio.Future[None] | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while not self._ready:
            if self._end is not None:
                # Once: what asks again after an error finds the end.
                end, self._end = self._end, StopAsyncIteration()
                raise end
            if self._fetching is None:
                self._fetching = asyncio.get_running_loop().run_in_executor(None, self._fetch)
            # Who is cancelled while it waits takes nothing along: what comes is for whoever asks next.
            fetching = self._fetching
            await asyncio.shield(fetching)
            if self._fetching is fetching:
                self._fetching = None
        return self._ready.popleft()

    def _fetch(self) -> None:
        """Runs in a thread, and in no two at a time."""
        try:
            # Here, since opening a stream may ask for a region.
            self._iterator = self._iterator or iter(self._items)
            for item in self._iterator:
                self._ready.append(item)
                if len(self._ready) >= self._at_once:
                    return
            self._end = StopAsyncIteration()
        except Exception as error:
            self._end = error
