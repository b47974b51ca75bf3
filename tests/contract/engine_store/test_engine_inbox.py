"""Messages that wait: in what mode they were sent, and in which order they are taken."""

import msgspec
import pytest

from mainspring_engine.domain.changes import Accept, Consume, Place
from mainspring_engine.domain.rows import NOBODY, InboxRow
from mainspring_schema.delivery import Delivery, DeliveryMode
from mainspring_schema.frames import Verdict
from mainspring_schema.messages import Controls
from tests.contract.engine_store.engine_worlds import IDS, Session


async def accepted(session: Session, mode: DeliveryMode = "queue", **fields: object) -> Accept:
    accept = msgspec.structs.replace(session.accept(), mode=mode, **fields)
    reply = await session.commit(session.changes(accepts=(accept,)))
    assert reply.verdict is Verdict.COMMITTED
    return accept


async def waiting(session: Session) -> tuple[InboxRow, ...]:
    return (await session.world.store.load((session.id,)))[session.id].inbox


async def delivery(session: Session, accept: Accept) -> Delivery | None:
    return await session.world.store.inbox.delivery(session.org_id, session.id, accept.message_id)


@pytest.mark.parametrize("mode", ["steer", "queue", "collect", "interrupt", "rollback", "reject"])
@pytest.mark.parametrize("controls", [None, Controls(model_id="m", hints={"a": 1})])
async def test_a_message_waits_in_its_mode_with_what_it_asks_for(
    session: Session, mode: DeliveryMode, controls: Controls | None
) -> None:
    await session.start_turn()

    await accepted(session, mode, controls=controls)

    (row,) = await waiting(session)
    assert (row.mode, row.controls) == (mode, controls)


async def test_messages_wait_in_the_order_of_their_places(session: Session) -> None:
    await session.start_turn()
    rows = [await accepted(session) for _ in range(3)]
    one, two, three = (row.message_id for row in rows)
    places = tuple(
        Place(message_id=id_, seq=row.seq) for id_, row in zip((three, one, two), rows, strict=True)
    )

    reply = await session.commit(session.changes(places=places))
    late = await accepted(session)

    assert reply.verdict is Verdict.COMMITTED
    order = [three, one, two, late.message_id]
    assert [row.message_id for row in await waiting(session)] == order
    listed = await session.world.store.inbox.waiting(session.org_id, session.id)
    assert [(one.message_id, one.place) for one in listed] == [
        (id_, place) for place, id_ in enumerate(order, 1)
    ]


async def test_places_of_a_session_that_moved_on_are_not_written(session: Session) -> None:
    await session.start_turn()
    rows = [await accepted(session) for _ in range(2)]
    stale = session.changes(
        places=tuple(
            Place(message_id=a.message_id, seq=b.seq)
            for a, b in zip(rows, reversed(rows), strict=True)
        )
    )
    await session.commit(session.changes())

    (reply,) = await session.world.store.commit((stale,))

    assert reply.verdict is Verdict.CONFLICT
    assert [row.message_id for row in await waiting(session)] == [r.message_id for r in rows]


async def test_a_delivery_says_whether_its_message_waits_was_taken_or_withdrawn(
    session: Session,
) -> None:
    await session.start_turn()
    taken, gone, kept = [await accepted(session) for _ in range(3)]
    consumes = (
        Consume(message_id=taken.message_id, workflow_id=session.turn),
        Consume(message_id=gone.message_id, workflow_id=NOBODY),
    )

    await session.commit(session.changes(consumes=consumes))

    found = [await delivery(session, one) for one in (taken, gone, kept)]
    assert [(one.state, one.turn_id, one.place) for one in found if one is not None] == [
        ("consumed", session.turn, None),
        ("withdrawn", None, None),
        ("waiting", None, 1),
    ]
    assert [row.message_id for row in await waiting(session)] == [kept.message_id]


async def test_messages_of_another_organization_are_not_found(session: Session) -> None:
    await session.start_turn()
    accept = await accepted(session)
    inbox, other = session.world.store.inbox, IDS.uuid7()

    assert await inbox.delivery(other, session.id, accept.message_id) is None
    assert await inbox.waiting(other, session.id) == ()


async def test_a_message_is_known_by_its_id_and_by_its_key(session: Session) -> None:
    await session.start_turn()
    accept = await accepted(session, idempotency_key="k")
    inbox = session.world.store.inbox

    by_id = await inbox.known(session.id, accept.message_id, None)
    by_key = await inbox.known(session.id, IDS.uuid4(), "k")

    assert by_id == by_key
    assert by_id is not None
    assert (by_id.message_id, by_id.body_hash) == (accept.message_id, b"b" * 32)
    assert await inbox.known(session.id, IDS.uuid4(), "other") is None
    assert await inbox.known(IDS.uuid4(), accept.message_id, "k") is None


async def test_a_key_names_its_own_message_among_those_of_its_session(session: Session) -> None:
    await session.start_turn()
    await accepted(session)
    keyed = [await accepted(session, idempotency_key=key) for key in ("first", "second")]

    known = [
        await session.world.store.inbox.known(session.id, IDS.uuid4(), key)
        for key in ("first", "second")
    ]

    assert [one and one.message_id for one in known] == [one.message_id for one in keyed]
