"""Evens out the streams of workers between the engines, a few at each look."""

import logging
from uuid import UUID

from mainspring_engine.domain.balance import moving, surplus
from mainspring_engine.domain.limits import BALANCE_AGAIN_S, BALANCE_S
from mainspring_engine.ports.registry import Registry
from mainspring_engine.usecases.attachments import Attachments
from mainspring_kernel.clock import Clock
from mainspring_kernel.passes import one_pass

_log = logging.getLogger(__name__)


class Balancing:
    """`replica` is the id of this engine process."""

    def __init__(
        self, *, registry: Registry, attachments: Attachments, clock: Clock, replica: UUID
    ) -> None:
        self._registry = registry
        self._attachments = attachments
        self._clock = clock
        self._replica = replica
        self._over = 0
        self._asked: dict[UUID, float] = {}
        """Who was asked to go, and when: who knows no other engine comes back, and may stay."""

    async def work(self) -> None:
        """Until cancelled."""
        while True:
            await self._clock.sleep(BALANCE_S)
            with one_pass(_log, "a look at the other engines' streams"):
                await self.look()

    async def look(self) -> None:
        """Asks those who are too many to attach elsewhere. Raises Unavailable."""
        shares = await self._registry.shares()
        mine = shares.pop(self._replica, 0)
        over, before = surplus(mine, tuple(shares.values())), self._over
        self._over = over
        self._forget()
        movable = [
            attachment
            for attachment in self._attachments.all()
            if not attachment.leaving and attachment.incarnation not in self._asked
        ]
        chosen = movable[: moving(over, before, mine)]
        if not chosen:
            return
        _log.info(
            "%d of %d workers are asked to attach to another engine", len(chosen), mine,
            extra={"engines": 1 + len(shares)},
        )  # fmt: skip
        for attachment in chosen:
            self._asked[attachment.incarnation] = self._clock.mono()
            attachment.outbox.leave()

    def _forget(self) -> None:
        bound = self._clock.mono() - BALANCE_AGAIN_S
        self._asked = {id_: at for id_, at in self._asked.items() if at >= bound}
