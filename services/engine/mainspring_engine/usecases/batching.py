"""Natural batching outside the lanes: one call in the air, what came meanwhile rides the next."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from mainspring_engine.domain.limits import SWEEP_BATCH_ROWS_MAX
from mainspring_kernel.errors import Unavailable

_log = logging.getLogger(__name__)
T = TypeVar("T")


class Batcher(Generic[T]):
    """For operations that are hints of state and come again by themselves: beats and releases.

    A flight that fails because the store is away is dropped; a lease covers what it would have
    done. Starts, which nobody asks for again, wait for the store in their own flight. One that
    fails otherwise flies again in halves, until who is at fault is alone: others' leases hold.
    """

    def __init__(self, fly: Callable[[tuple[T, ...]], Awaitable[None]]) -> None:
        self._fly = fly
        self._waiting: list[T] = []
        self._wake = asyncio.Event()

    def put(self, item: T) -> None:
        self._waiting.append(item)
        self._wake.set()

    async def work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                batch = tuple(self._waiting[:SWEEP_BATCH_ROWS_MAX])
                del self._waiting[: len(batch)]
                await self._flown(batch)

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
