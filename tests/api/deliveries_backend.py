"""Messages that wait at an engine that a test stands in for."""

from typing import assert_never
from uuid import UUID

import msgspec

from mainspring_kernel.control_errors import MessageTaken
from mainspring_kernel.errors import NotFound
from mainspring_kernel.ids import Prefix, from_wire
from mainspring_schema.delivery import (
    Deliveries,
    Delivery,
    DeliveryMode,
    DeliveryOrder,
    DeliveryQuestion,
    EditMessage,
    GetDelivery,
    ListWaiting,
    ReorderMessages,
    WithdrawMessage,
)

TS = 1_763_800_000_000


def waiting(place: int, message_id: str, mode: DeliveryMode = "queue") -> Delivery:
    return Delivery(
        message_id=from_wire(Prefix.MESSAGE, message_id),
        mode=mode,
        state="waiting",
        seq=place,
        accepted_ms=TS,
        place=place,
    )


class FakeInbox:
    """Those a test puts in, of any session."""

    def __init__(self) -> None:
        self.kept: dict[UUID, Delivery] = {}
        self.edits: list[EditMessage] = []

    def put(self, *deliveries: Delivery) -> None:
        for one in deliveries:
            self.kept[one.message_id] = one

    def answer(self, asked: DeliveryQuestion) -> object:
        match asked:
            case GetDelivery():
                return self.kept.get(asked.message_id) or NotFound()
            case ListWaiting():
                return self._waiting()
            case _:
                assert_never(asked)

    def _waiting(self) -> Deliveries:
        waiting = [one for one in self.kept.values() if one.state == "waiting"]
        return Deliveries(deliveries=tuple(waiting))

    def carry_out(self, order: DeliveryOrder) -> object:
        if isinstance(order, ReorderMessages):
            named = {id_: self.kept.pop(id_) for id_ in order.message_ids if id_ in self.kept}
            self.kept = named | self.kept
            return self._waiting()
        known = self.kept.get(order.message_id)
        if known is None:
            return NotFound()
        if known.state == "consumed":
            return MessageTaken()
        if isinstance(order, WithdrawMessage):
            known = msgspec.structs.replace(known, state="withdrawn", place=None)
            self.kept[known.message_id] = known
        else:
            self.edits.append(order)
        return known
