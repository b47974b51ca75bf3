"""/sessions/{id}/inbox and the receipts of messages"""

from mainspring_api.adapters.http.routes.sessions import session_id_of
from mainspring_api.adapters.http.routing import (
    Call,
    NoBody,
    NoQuery,
    Reply,
    RouteTable,
    json_answer,
    json_reply,
    reply_of,
)
from mainspring_api.adapters.http.wire.deliveries import (
    EditBody,
    InboxOut,
    OrderBody,
    ReceiptOut,
    edited,
    inbox_out,
    named,
    receipt_out,
)
from mainspring_api.usecases import deliveries
from mainspring_api.usecases.deliveries import Place
from mainspring_api.usecases.events import check_session
from mainspring_api.usecases.once import Answer, once_elsewhere
from mainspring_kernel.ids import MessageId, Prefix, from_wire
from mainspring_schema.asking import Order
from mainspring_schema.delivery import (
    Delivery,
    EditMessage,
    ListWaiting,
    ReorderMessages,
    WithdrawMessage,
)

table = RouteTable("messages")
_INBOX = "/sessions/{session_id:str}/inbox"
_MESSAGE = "/sessions/{session_id:str}/messages/{message_id:str}"


def _place(call: Call[object, object]) -> Place:
    services = call.services
    return Place(
        operator=services.operator,
        log=services.log,
        org_id=call.org_id,
        session_id=session_id_of(call),
    )


async def _known_place(call: Call[object, object]) -> Place:
    """Raises NotFound."""
    place = _place(call)
    await check_session(call.services.store, place.org_id, place.session_id)
    return place


def _message_id(call: Call[object, object]) -> MessageId:
    return MessageId(from_wire(Prefix.MESSAGE, call.path["message_id"]))


async def _ordered(place: Place, order: Order[Delivery]) -> Reply:
    delivery = await place.operator.operate(order)
    return json_reply(receipt_out(await deliveries.receipt_of(place, delivery)))


@table.route("GET", f"{_MESSAGE}/receipt", answer=ReceiptOut)
async def get_receipt(call: Call[NoBody, NoQuery]) -> Reply:
    """Says whether a message waits, or when and where it was consumed."""
    place = await _known_place(call)
    return json_reply(receipt_out(await deliveries.receipt(place, _message_id(call))))


@table.route("PATCH", _MESSAGE, body=EditBody, answer=ReceiptOut, other_statuses=(409,))
async def edit_message(call: Call[EditBody, NoQuery]) -> Reply:
    """Puts other content in the place of a message's, while it waits."""
    order = EditMessage(
        org_id=call.org_id,
        session_id=session_id_of(call),
        message_id=_message_id(call),
        content=edited(call.body),
    )
    return await _ordered(await _known_place(call), order)


@table.route("DELETE", _MESSAGE, answer=ReceiptOut, other_statuses=(409,))
async def withdraw_message(call: Call[NoBody, NoQuery]) -> Reply:
    """Takes a message back, while it waits."""
    order = WithdrawMessage(
        org_id=call.org_id, session_id=session_id_of(call), message_id=_message_id(call)
    )
    return await _ordered(await _known_place(call), order)


@table.route("GET", _INBOX, answer=InboxOut)
async def list_inbox(call: Call[NoBody, NoQuery]) -> Reply:
    """The messages that wait, in the order in which turns will take them."""
    place = await _known_place(call)
    asked = ListWaiting(org_id=place.org_id, session_id=place.session_id)
    return json_reply(inbox_out((await place.operator.inspect(asked)).deliveries))


@table.route("POST", f"{_INBOX}/order", body=OrderBody, answer=InboxOut, other_statuses=(409,))
async def reorder_inbox(call: Call[OrderBody, NoQuery]) -> Reply:
    """Lets waiting messages change places."""
    place = await _known_place(call)
    order = ReorderMessages(
        org_id=place.org_id, session_id=place.session_id, message_ids=named(call.body)
    )

    async def work() -> Answer:
        found = await place.operator.operate(order)
        return json_answer(inbox_out(found.deliveries), status=200)

    return reply_of(await once_elsewhere(call.services.store, call.org_id, call.key, work))
