"""Receipts of messages and the queue of those that wait, on the wire."""

from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from mainspring_api.adapters.http.wire.conversation import shown
from mainspring_api.usecases.deliveries import MessageReceipt
from mainspring_kernel.errors import ValidationFailed
from mainspring_kernel.ids import Prefix, from_wire, to_wire
from mainspring_kernel.limits import INBOX_ROWS_MAX
from mainspring_kernel.times import rfc3339
from mainspring_schema.delivery import Delivery, DeliveryMode, ReceiptState
from mainspring_schema.messages import ImageFilePart, ImagePart, InputPart, TextPart


class ConsumedOut(Struct, frozen=True, kw_only=True):
    """`seen_by_model` is false where a cancelled turn took the message unread."""

    turn_id: str
    sequence: int | None
    at: str | None
    seen_by_model: bool


class ReceiptOut(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`sequence` is that of the message's own event; `place` counts among those that wait."""

    message_id: str
    delivery: DeliveryMode
    status: ReceiptState
    sequence: int
    accepted_at: str
    place: int | None = None
    consumed: ConsumedOut | None = None


class InboxOut(Struct, frozen=True, kw_only=True):
    data: tuple[ReceiptOut, ...]


class EditBody(Struct, frozen=True, kw_only=True):
    content: Annotated[
        list[TextPart | ImagePart | ImageFilePart], Meta(min_length=1, max_length=100)
    ]


class OrderBody(Struct, frozen=True, kw_only=True):
    """Those named take each other's places; the others stay where they are."""

    message_ids: Annotated[list[str], Meta(min_length=1, max_length=INBOX_ROWS_MAX)]


def edited(body: EditBody) -> tuple[InputPart, ...]:
    """Raises ValidationFailed for a part that cannot be shown."""
    return shown(body.content)


def named(body: OrderBody) -> tuple[UUID, ...]:
    """Raises InvalidId, ValidationFailed where one is named twice."""
    ids = tuple(from_wire(Prefix.MESSAGE, one) for one in body.message_ids)
    if len(set(ids)) < len(ids):
        msg = "a message is named twice"
        raise ValidationFailed(msg, data={"field": "message_ids"})
    return ids


def receipt_out(receipt: MessageReceipt) -> ReceiptOut:
    delivery, taken = receipt.delivery, receipt.consumption
    consumed = None
    if delivery.turn_id is not None:
        consumed = ConsumedOut(
            turn_id=to_wire(Prefix.TURN, delivery.turn_id),
            sequence=None if taken is None else taken.seq,
            at=None if taken is None else rfc3339(taken.ts_ms),
            seen_by_model=taken is not None and taken.seen,
        )
    return _out(delivery, consumed)


def inbox_out(waiting: tuple[Delivery, ...]) -> InboxOut:
    return InboxOut(data=tuple(_out(one, None) for one in waiting))


def _out(delivery: Delivery, consumed: ConsumedOut | None) -> ReceiptOut:
    return ReceiptOut(
        message_id=to_wire(Prefix.MESSAGE, delivery.message_id),
        delivery=delivery.mode,
        status=delivery.state,
        sequence=delivery.seq,
        accepted_at=rfc3339(delivery.accepted_ms),
        place=delivery.place,
        consumed=consumed,
    )
