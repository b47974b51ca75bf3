"""Receipts of messages, and what may be done to a message while it waits."""

from typing import Final

import msgspec
from msgspec import Struct

from mainspring_api.ports.log import Log
from mainspring_api.ports.operator import OperatorDoor
from mainspring_kernel.ids import MessageId, OrgId, Prefix, SessionId, to_wire
from mainspring_kernel.limits import PAGE_ROWS_MAX
from mainspring_schema.delivery import CONSUMED, Delivery, GetDelivery
from mainspring_schema.events import StoredEvent
from mainspring_schema.listing import EventFilter

_TAKING: Final = ("reason.started", CONSUMED)


class Consumption(Struct, frozen=True, kw_only=True):
    """The event with which a turn took a message. `seen`: a model call was begun with it."""

    seq: int
    ts_ms: int
    seen: bool


class MessageReceipt(Struct, frozen=True, kw_only=True):
    delivery: Delivery
    consumption: Consumption | None


class Place(Struct, frozen=True, kw_only=True):
    """Whose messages are meant, and who is asked."""

    operator: OperatorDoor
    log: Log
    org_id: OrgId
    session_id: SessionId


async def receipt(place: Place, message_id: MessageId) -> MessageReceipt:
    """Raises NotFound."""
    asked = GetDelivery(org_id=place.org_id, session_id=place.session_id, message_id=message_id)
    return await receipt_of(place, await place.operator.inspect(asked))


async def receipt_of(place: Place, delivery: Delivery) -> MessageReceipt:
    if delivery.turn_id is None:
        return MessageReceipt(delivery=delivery, consumption=None)
    return MessageReceipt(delivery=delivery, consumption=await _consumption(place, delivery))


async def _consumption(place: Place, delivery: Delivery) -> Consumption | None:
    """None for a message that went with its session."""
    wanted, after = to_wire(Prefix.MESSAGE, delivery.message_id), delivery.seq
    while True:
        page = EventFilter(
            types=_TAKING, turn_id=delivery.turn_id, after_seq=after, limit=PAGE_ROWS_MAX
        )
        events = (await place.log.list(place.session_id, place.org_id, page)).events
        for event in events:
            if wanted in _taken(event):
                return Consumption(seq=event.seq, ts_ms=event.ts_ms, seen=event.type != CONSUMED)
        if len(events) < PAGE_ROWS_MAX:
            return None
        after = events[-1].seq


class _Data(Struct):
    consumed: tuple[str, ...] = ()
    message_ids: tuple[str, ...] = ()


class _Payload(Struct):
    data: _Data


def _taken(event: StoredEvent) -> tuple[str, ...]:
    data = msgspec.json.decode(event.payload, type=_Payload).data
    return data.message_ids if event.type == CONSUMED else data.consumed
