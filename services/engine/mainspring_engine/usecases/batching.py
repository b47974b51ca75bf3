"""Batches outside the lanes: one call under way, and whatever came meanwhile rides the next."""

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterator
from itertools import islice
from typing import Generic, TypeVar
from uuid import UUID

from mainspring_engine.domain.limits import SWEEP_BATCH_ROWS_MAX
from mainspring_kernel.errors import Unavailable

_log = logging.getLogger(__name__)
T = TypeVar("T")


class Batcher(Generic[T]):
    """For operations that are hints of state and come again by themselves: beats and releases.

    A flight that fails because the store is away is dropped; a lease covers what it would have
    done. Starts, which nobody asks for again, wait for the store in their own flight. One that
    fails otherwise flies again in halves, until who is at fault is alone: others' leases hold.

    Of what waits, those who asked board in turns: who asks for much delays no other.
    """

    def __init__(self, fly: Callable[[tuple[T, ...]], Awaitable[None]]) -> None:
        self._fly = fly
        self._waiting: OrderedDict[UUID | None, deque[T]] = OrderedDict()
        """By who asks, whose turn it is first."""
        self._wake = asyncio.Event()

    def put(self, item: T, *, by: UUID | None = None) -> None:
        self._waiting.setdefault(by, deque()).append(item)
        self._wake.set()

    async def work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._flown(tuple(islice(self._board(), SWEEP_BATCH_ROWS_MAX)))

    def _board(self) -> Iterator[T]:
        while self._waiting:
            by, items = self._waiting.popitem(last=False)
            item = items.popleft()
            if items:
                self._waiting[by] = items
            yield item

    async def _flown(self, batch: tuple[T, ...]) -> None:
        try:
            await self._fly(batch)
        except Unavailable as error:
            _log.warning("a flight of %d was dropped: %s", len(batch), error)
        except Exception:  # noqa: BLE001 - the loop must go on; logged
            if len(batch) == 1:
                _log.exception("it could not fly: %s", batch[0])
                return
            middle = len(batch) // 2
            await self._flown(batch[:middle])
            await self._flown(batch[middle:])
