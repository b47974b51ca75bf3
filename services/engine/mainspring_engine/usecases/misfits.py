"""Tries held workflows again when workers come or go, because code that fits may be there now.

Otherwise they come due by themselves, at intervals that grow to a quarter of an hour.
"""

import asyncio
import logging

from mainspring_engine.domain.limits import MISFITS_LOOKED_AT_MAX, NEWCOMERS_REST_S
from mainspring_engine.domain.routes import Offer
from mainspring_engine.domain.workflow.going import GO
from mainspring_engine.ports.outside import Announcer
from mainspring_engine.ports.registry import Registry
from mainspring_kernel.clock import Clock
from mainspring_kernel.passes import one_pass

_log = logging.getLogger(__name__)


class Misfits:
    def __init__(self, *, registry: Registry, announcer: Announcer, clock: Clock) -> None:
        self._registry = registry
        self._announcer = announcer
        self._clock = clock
        self._offers: set[Offer] = set()
        self._came = asyncio.Event()

    def note(self, offer: Offer) -> None:
        """A worker starts; or it leaves, so that what is held goes to the others."""
        if any(capability.startswith(GO) for capability in offer.capabilities):
            self._offers.add(offer)
            self._came.set()

    async def work(self) -> None:
        """Until cancelled. Asks nothing while workers stay who they are."""
        while True:
            await self._came.wait()
            await self._clock.sleep(NEWCOMERS_REST_S)
            self._came.clear()
            offers, self._offers = self._offers, set()
            with one_pass(_log, "a try of what is held"):
                await self._try(offers)

    async def _try(self, offers: set[Offer]) -> None:
        tried = await self._registry.try_misfits(
            tuple(sorted({queue for offer in offers for queue in offer.queues})),
            tuple(sorted({able for offer in offers for able in offer.capabilities})),
            looks=MISFITS_LOOKED_AT_MAX,
        )
        if tried:
            self._announcer.ready(())
