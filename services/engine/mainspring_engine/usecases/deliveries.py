"""Messages that wait: listed, edited, moved, withdrawn."""

from typing import assert_never
from uuid import UUID

from mainspring_engine.domain.intents import DeliveryOrdered
from mainspring_engine.ports.inbox import InboxRows
from mainspring_engine.usecases.lane import Lanes
from mainspring_kernel.control_errors import MessageTaken
from mainspring_kernel.errors import NotFound
from mainspring_schema.delivery import (
    Deliveries,
    Delivery,
    DeliveryOrder,
    DeliveryQuestion,
    EditMessage,
    GetDelivery,
    ListWaiting,
    ReorderMessages,
    WithdrawMessage,
)


class Inbox:
    """Each call raises NotFound for what the organization does not have."""

    def __init__(self, rows: InboxRows, lanes: Lanes) -> None:
        self._rows = rows
        self._lanes = lanes

    async def answer(self, asked: DeliveryQuestion) -> Delivery | Deliveries:
        match asked:
            case GetDelivery():
                return await self._delivery(asked.org_id, asked.session_id, asked.message_id)
            case ListWaiting():
                return await self._waiting(asked.org_id, asked.session_id)
            case _:
                assert_never(asked)

    async def carry_out(self, order: DeliveryOrder) -> Delivery | Deliveries:
        if isinstance(order, ReorderMessages):
            there = {
                one.message_id for one in await self._rows.waiting(order.org_id, order.session_id)
            }
            # What waits no more is refused by the lane, and what was never there here.
            for message_id in order.message_ids:
                if message_id not in there:
                    await self._delivery(order.org_id, order.session_id, message_id)
            await self._lanes.ask(DeliveryOrdered(command=order))
            return await self._waiting(order.org_id, order.session_id)
        return await self._change(order)

    async def _change(self, order: EditMessage | WithdrawMessage) -> Delivery:
        before = await self._delivery(order.org_id, order.session_id, order.message_id)
        if isinstance(order, WithdrawMessage) and before.state == "withdrawn":
            return before
        try:
            await self._lanes.ask(DeliveryOrdered(command=order))
        except MessageTaken:
            # Of two who withdraw at once the second is told what the first is told.
            after = await self._delivery(order.org_id, order.session_id, order.message_id)
            if isinstance(order, WithdrawMessage) and after.state == "withdrawn":
                return after
            raise
        return await self._delivery(order.org_id, order.session_id, order.message_id)

    async def _delivery(self, org_id: UUID, session_id: UUID, message_id: UUID) -> Delivery:
        found = await self._rows.delivery(org_id, session_id, message_id)
        if found is None:
            detail = "no such message"
            raise NotFound(detail)
        return found

    async def _waiting(self, org_id: UUID, session_id: UUID) -> Deliveries:
        return Deliveries(deliveries=await self._rows.waiting(org_id, session_id))
