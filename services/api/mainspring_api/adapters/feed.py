"""The live tail from the bus."""

import logging

import msgspec

from mainspring_api.ports.feed import Deliver
from mainspring_kernel.ids import OrgId, SessionId
from mainspring_kernel.limits import BUS_FLUSH_TIMEOUT_S
from mainspring_messaging import Bus, Message, Subscription
from mainspring_schema.stream import decode_batch
from mainspring_schema.subjects import session_log

_log = logging.getLogger(__name__)


class BusFeed:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def subscribe(self, org_id: OrgId, session_id: SessionId, deliver: Deliver) -> "Tail":
        def receive(message: Message) -> None:
            try:
                batch = decode_batch(message.data)
            except msgspec.MsgspecError:
                # Of a version that is not ours: the sweep finds what it would have said.
                _log.warning("a batch on %s cannot be read", message.subject)
                return
            deliver(batch)

        subscription = await self._bus.subscribe(session_log(org_id, session_id), receive)
        await self._bus.flush(BUS_FLUSH_TIMEOUT_S)
        return Tail(subscription)


class Tail:
    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    async def close(self) -> None:
        await self._subscription.unsubscribe()
