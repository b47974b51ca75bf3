"""How a message reaches its session, and what may be done to it while it waits.

Carried as MessagePack inside the control proto.
"""

from typing import Final, Literal
from uuid import UUID

from msgspec import Struct

from mainspring_schema.asking import Order, Question
from mainspring_schema.messages import InputPart

DeliveryMode = Literal["steer", "queue", "collect", "interrupt", "rollback", "reject"]
"""What becomes of a message that meets a turn at work; on an idle session each begins one.

`steer`: the turn's next model call sees it. `queue`: it begins a turn of its own behind it.
`collect`: the same, with all that are collected beside it. `interrupt`: the turn is cancelled and
it begins the next. `rollback`: as that, and the turn leaves the conversation. `reject`: refused.
"""

ReceiptState = Literal["waiting", "consumed", "withdrawn"]

CONSUMED: Final = "message.consumed"
"""The event of messages that a turn took without a model call having seen them."""


class MessageConsumed(Struct, frozen=True, kw_only=True):
    turn_id: str
    message_ids: tuple[str, ...]
    reason: str


class MessageEdited(Struct, frozen=True, kw_only=True):
    message_id: str
    content: tuple[InputPart, ...]


class MessageWithdrawn(Struct, frozen=True, kw_only=True):
    message_id: str


class MessagesReordered(Struct, frozen=True, kw_only=True):
    """All that wait, in the order in which turns will take them."""

    message_ids: tuple[str, ...]


class Delivery(Struct, frozen=True, kw_only=True):
    """A message and where it went. `seq` and `accepted_ms` are those of its event.

    `turn_id` is the turn that has taken it; `place` counts from 1 among those that wait.
    """

    message_id: UUID
    mode: DeliveryMode
    state: ReceiptState
    seq: int
    accepted_ms: int
    turn_id: UUID | None = None
    place: int | None = None


class Deliveries(Struct, frozen=True, kw_only=True):
    deliveries: tuple[Delivery, ...]


class GetDelivery(Question[Delivery], frozen=True, kw_only=True, tag="get_delivery"):
    """Raises NotFound."""

    org_id: UUID
    session_id: UUID
    message_id: UUID


class ListWaiting(Question[Deliveries], frozen=True, kw_only=True, tag="list_waiting"):
    """The messages that wait, in the order in which turns will take them. Raises NotFound."""

    org_id: UUID
    session_id: UUID


class EditMessage(Order[Delivery], frozen=True, kw_only=True, tag="edit_message"):
    """Raises NotFound, MessageTaken."""

    org_id: UUID
    session_id: UUID
    message_id: UUID
    content: tuple[InputPart, ...]


class WithdrawMessage(Order[Delivery], frozen=True, kw_only=True, tag="withdraw_message"):
    """Again, it answers alike. Raises NotFound, MessageTaken."""

    org_id: UUID
    session_id: UUID
    message_id: UUID


class ReorderMessages(Order[Deliveries], frozen=True, kw_only=True, tag="reorder_messages"):
    """Those named take each other's places. Raises NotFound, MessageTaken for all."""

    org_id: UUID
    session_id: UUID
    message_ids: tuple[UUID, ...]


DeliveryQuestion = GetDelivery | ListWaiting
DeliveryOrder = EditMessage | WithdrawMessage | ReorderMessages
