"""`async for` over lines and batches: the reading waits in a thread, the event loop goes on."""

import asyncio
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class AsyncIterator(Generic[T]):
    """The things of an iterator, so many at a time: a change of threads costs more than a line does."""

    def __init__(self, things: Iterator[T], at_once: int) -> None:
        self._things, self._at_once = things, at_once
        self._ready: deque[T] = deque()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        if not self._ready:
            self._ready.extend(await asyncio.to_thread(self._fetch))
        if not self._ready:
            raise StopAsyncIteration
        return self._ready.popleft()

    def _fetch(self) -> list[T]:
        return list(islice(self._things, self._at_once))
