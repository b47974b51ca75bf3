"""Delivery modes over the wire: receipts, and what is done to a message while it waits."""

from typing import cast
from uuid import UUID, uuid4

import httpx
import pytest

from mainspring_kernel.ids import Prefix, from_wire, to_wire
from mainspring_schema.delivery import CONSUMED, Delivery, MessageConsumed
from mainspring_schema.events import ReasonStarted
from tests.api.backend import Backend
from tests.api.deliveries_backend import TS, waiting
from tests.api.operators import FakeOperator
from tests.api.test_resources import V1, made_session, message
from tests.api.watcher import uuid_of

Json = dict[str, object]


@pytest.fixture
async def session(client: httpx.AsyncClient) -> Json:
    return await made_session(client)


def at(session: Json, what: str) -> str:
    return f"{V1}/sessions/{session['id']}/{what}"


def wire(id_: UUID) -> str:
    return to_wire(Prefix.MESSAGE, id_)


@pytest.mark.parametrize("mode", ["steer", "queue", "collect", "interrupt", "rollback", "reject"])
async def test_a_message_goes_in_its_mode_and_says_where_its_receipt_is(
    client: httpx.AsyncClient, backend: Backend, session: Json, mode: str
) -> None:
    body = message("hi") | {"delivery": mode}

    answer = await client.post(at(session, "messages"), json=body)

    assert answer.status_code == 201
    assert backend.submits[-1].mode == mode
    assert answer.headers["Location"] == at(session, f"messages/{answer.json()['id']}/receipt")


async def test_an_unknown_mode_is_refused(client: httpx.AsyncClient, session: Json) -> None:
    answer = await client.post(at(session, "messages"), json=message("hi") | {"delivery": "soon"})

    assert answer.status_code == 422


@pytest.mark.parametrize("seen", [True, False])
async def test_a_receipt_says_when_and_where_its_message_was_consumed(
    client: httpx.AsyncClient,
    backend: Backend,
    operator: FakeOperator,
    session: Json,
    seen: bool,
) -> None:
    made = await client.post(at(session, "messages"), json=message("hi"))
    id_, turn = from_wire(Prefix.MESSAGE, str(made.json()["id"])), uuid4()
    taken = Delivery(
        message_id=id_, mode="steer", state="consumed", seq=1, accepted_ms=TS, turn_id=turn
    )
    operator.inbox.put(taken)
    if seen:
        started = ReasonStarted(harness_id="harness_1", consumed=(wire(id_),))
        seq = backend.append(uuid_of(session), "reason.started", started)
    else:
        unread = MessageConsumed(
            turn_id=to_wire(Prefix.TURN, turn), message_ids=(wire(id_),), reason="user"
        )
        seq = backend.append(uuid_of(session), CONSUMED, unread)

    receipt = (await client.get(made.headers["Location"])).json()

    assert (receipt["status"], receipt["delivery"]) == ("consumed", "steer")
    assert receipt["accepted_at"].startswith("2025-")
    assert receipt["consumed"]["turn_id"] == to_wire(Prefix.TURN, turn)
    assert (receipt["consumed"]["sequence"], receipt["consumed"]["seen_by_model"]) == (seq, seen)


async def test_waiting_messages_are_listed_reordered_edited_and_withdrawn(
    client: httpx.AsyncClient, operator: FakeOperator, session: Json
) -> None:
    one = waiting(1, wire(uuid4()))
    two = waiting(2, wire(uuid4()), "collect")
    operator.inbox.put(one, two)
    ids = [wire(two.message_id), wire(one.message_id)]

    listed = (await client.get(at(session, "inbox"))).json()["data"]
    moved = await client.post(at(session, "inbox/order"), json={"message_ids": ids})
    content = [{"type": "text", "text": "rather"}]
    edited = await client.patch(at(session, f"messages/{ids[0]}"), json={"content": content})
    gone = await client.delete(at(session, f"messages/{ids[1]}"))

    assert [(row["place"], row["delivery"]) for row in listed] == [(1, "queue"), (2, "collect")]
    assert [row["message_id"] for row in moved.json()["data"]] == ids
    assert (edited.status_code, edited.json()["status"]) == (200, "waiting")
    assert len(operator.inbox.edits) == 1
    assert gone.json()["status"] == "withdrawn"
    assert "place" not in gone.json()


async def test_what_is_wrong_with_an_order_is_said(
    client: httpx.AsyncClient, operator: FakeOperator, session: Json
) -> None:
    taken = Delivery(
        message_id=uuid4(), mode="steer", state="consumed", seq=1, accepted_ms=TS, turn_id=uuid4()
    )
    operator.inbox.put(taken)
    id_, text = wire(taken.message_id), [{"type": "text", "text": "x"}]

    late = await client.patch(at(session, f"messages/{id_}"), json={"content": text})
    withdrawn = await client.delete(at(session, f"messages/{id_}"))
    unknown = await client.delete(at(session, f"messages/{wire(uuid4())}"))
    twice = await client.post(at(session, "inbox/order"), json={"message_ids": [id_, id_]})
    image = [{"type": "image", "url": "ftp://x"}]
    unshown = await client.patch(at(session, f"messages/{id_}"), json={"content": image})
    nowhere = await client.get(f"{V1}/sessions/session_{'0' * 32}/inbox")

    assert (late.status_code, late.json()["code"]) == (409, "message_taken")
    assert withdrawn.json()["code"] == "message_taken"
    assert [one.status_code for one in (unknown, twice, unshown, nowhere)] == [404, 422, 422, 404]
    assert cast("Json", unknown.json())["code"] == "not_found"
