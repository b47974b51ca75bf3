"""How a task of a session stands, by its child's log."""

from collections.abc import Mapping, Sequence
from typing import cast
from uuid import UUID

from mainspring_api.domain.session_tasks import SessionTask
from mainspring_api.ports.log import HeadView, Listing, Log
from mainspring_api.usecases import session_tasks
from mainspring_kernel.ids import DEFAULT_ORG_ID, OrgId, Prefix, SessionId, to_wire
from mainspring_schema.events import Context, StoredEvent, decode_payload, draft
from mainspring_schema.listing import EventFilter

CHILD, DEAD, HEIR, LAST = (UUID(int=number) for number in (1, 2, 3, 4))
TASK = SessionTask(
    org_id=DEFAULT_ORG_ID,
    id=UUID(int=5),
    owner_id=UUID(int=6),
    key="call",
    name="look",
    instructions="Look.",
    child_id=CHILD,
    message_id=UUID(int=7),
    turn_id=DEAD,
    created_ms=1,
    updated_ms=1,
)


class ChildsLog:
    """Filters as the event store does."""

    def __init__(self) -> None:
        self._events: list[StoredEvent] = []

    def add(self, turn: UUID, type_: str, *, takes_up: UUID | None = None) -> None:
        source = None if takes_up is None else {"turn_id": to_wire(Prefix.TURN, takes_up)}
        data = {"turn_id": to_wire(Prefix.TURN, turn), "requeued_from": source}
        payload = draft(type_, Context(turn_id=to_wire(Prefix.TURN, turn)), data).payload
        seq = len(self._events) + 1
        self._events.append(StoredEvent(seq, type_, seq, payload))

    async def heads(self, ids: Sequence[UUID]) -> Mapping[UUID, HeadView]:
        return {id_: HeadView(session_id=id_, seq=9, n=0, status="idle") for id_ in ids}

    async def list(self, session_id: SessionId, org_id: OrgId, wanted: EventFilter) -> Listing:
        assert (session_id, org_id, wanted.descending) == (CHILD, DEFAULT_ORG_ID, True)
        turn = None if wanted.turn_id is None else to_wire(Prefix.TURN, wanted.turn_id)
        found = tuple(
            event
            for event in reversed(self._events)
            if event.type in wanted.types
            and turn in (None, decode_payload(event.payload).context.turn_id)
            and (wanted.text or "").encode() in event.payload
        )
        return Listing(events=found[: wanted.limit], total=len(found))


async def test_a_task_whose_dead_letters_were_requeued_stands_as_its_newest_turn() -> None:
    log = ChildsLog()
    log.add(DEAD, "turn.started")
    log.add(DEAD, "turn.failed")
    log.add(HEIR, "turn.started", takes_up=DEAD)
    log.add(HEIR, "turn.sealed")
    log.add(LAST, "turn.started", takes_up=HEIR)
    began = await session_tasks.view(cast("Log", cast("object", log)), TASK, now_ms=9)
    log.add(LAST, "turn.completed")

    ended = await session_tasks.view(cast("Log", cast("object", log)), TASK, now_ms=9)

    assert [(one.state, one.turn_id) for one in (began, ended)] == [
        ("running", LAST),
        ("succeeded", LAST),
    ]


async def test_a_task_that_failed_stands_so_whatever_its_child_did_later() -> None:
    log = ChildsLog()
    log.add(DEAD, "turn.started")
    log.add(DEAD, "turn.failed")
    log.add(HEIR, "turn.started")
    log.add(HEIR, "turn.completed")

    shown = await session_tasks.view(cast("Log", cast("object", log)), TASK, now_ms=9)

    assert (shown.state, shown.turn_id) == ("failed", DEAD)
