"""The resources of a call for a tool that runs on another loop: channels belong to one loop."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

from mainspring_harness.calling import SessionResources
from mainspring_schema.asking import Order, Question

A = TypeVar("A")


class CrossingResources:
    """Asks on the loop `home`. A tool that is cancelled meanwhile cancels what it asked."""

    def __init__(self, inner: SessionResources, home: asyncio.AbstractEventLoop) -> None:
        self._inner = inner
        self._home = home

    async def ask(self, question: Question[A]) -> A:
        return await self._at_home(self._inner.ask(question))

    async def change(self, order: Order[A], *, part: str = "") -> A:
        return await self._at_home(self._inner.change(order, part=part))

    async def recall(self, *, part: str = "") -> bytes | None:
        return await self._at_home(self._inner.recall(part=part))

    async def _at_home(self, work: Coroutine[object, object, A]) -> A:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._home))
