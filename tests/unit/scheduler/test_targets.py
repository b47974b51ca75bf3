"""What a slot asks of turns and workflows."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
import pytest

from mainspring_kernel.errors import MainspringError
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_scheduler.domain.slots import Begins, Ended, Started, slot_key, starting
from mainspring_scheduler.usecases.targets import REASON, SlotTargets
from mainspring_schema.posting import CancelTurn, OneTurn, Posted, PostMessage, TurnState
from mainspring_schema.schedules import WorkflowTarget
from tests.unit.scheduler.rows import (
    NEW_SESSION,
    NOW,
    ORG,
    SCHEDULE,
    SESSION,
    WORKFLOW,
    schedule,
    slot,
)

TURN = UUID(int=8)
FLOW = UUID(int=7)


class Turns:
    def __init__(self) -> None:
        self.posts: list[PostMessage] = []
        self.cancels: list[CancelTurn] = []

    async def post(self, command: PostMessage) -> Posted:
        self.posts.append(command)
        return Posted(turn_id=TURN, seq=4)

    async def states(self, turns: Sequence[OneTurn]) -> Sequence[TurnState]:
        return [
            TurnState(outcome="failed", ended_ms=NOW, code="rate_limited")
            if turn.turn_id == TURN
            else TurnState()
            for turn in turns
        ]

    async def cancel(self, command: CancelTurn) -> None:
        self.cancels.append(command)


class Workflows:
    def __init__(self) -> None:
        self.started: list[tuple[UUID, str, WorkflowTarget]] = []
        self.cancelled: list[UUID] = []

    async def start(
        self, org_id: UUID, workflow_id: UUID, *, key: str, target: WorkflowTarget
    ) -> UUID:
        self.started.append((workflow_id, key, target))
        return workflow_id

    async def outcome(self, org_id: UUID, workflow_id: UUID) -> Ended | None:
        return Ended(outcome="completed") if workflow_id == FLOW else None

    async def cancel(self, org_id: UUID, workflow_id: UUID, *, reason: str) -> None:
        self.cancelled.append(workflow_id)


@pytest.fixture
def turns() -> Turns:
    return Turns()


@pytest.fixture
def workflows() -> Workflows:
    return Workflows()


@pytest.fixture
def targets(turns: Turns, workflows: Workflows) -> SlotTargets:
    return SlotTargets(turns, workflows)


WAITING = slot(1, "waiting", slot_ms=NOW)
TO_SESSION = starting(WAITING, Begins(session_id=SESSION, message_id=UUID(int=9)))
TO_WORKFLOW = starting(WAITING, Begins(workflow_id=FLOW))


async def test_a_message_says_which_schedule_and_which_time_it_is_of(
    targets: SlotTargets, turns: Turns
) -> None:
    started = await targets.start(schedule(), TO_SESSION)

    assert started == Started(turn_id=TURN)
    (post,) = turns.posts
    assert (post.session_id, post.message_id, post.session) == (SESSION, UUID(int=9), None)
    assert post.metadata == {
        "schedule_id": to_wire(Prefix.SCHEDULE, SCHEDULE),
        "schedule_name": "s",
        "scheduled_at": "2026-09-21T14:13:20.000Z",
    }


async def test_a_slot_without_a_session_has_one_made(targets: SlotTargets, turns: Turns) -> None:
    await targets.start(schedule(target=NEW_SESSION), TO_SESSION)

    assert turns.posts[0].session == NEW_SESSION.session


async def test_a_workflow_is_started_by_the_key_of_its_slot(
    targets: SlotTargets, workflows: Workflows
) -> None:
    started = await targets.start(schedule(target=WORKFLOW), TO_WORKFLOW)

    assert started == Started(workflow_id=FLOW)
    assert workflows.started == [(FLOW, slot_key(TO_WORKFLOW), WORKFLOW)]


async def test_outcomes_come_in_the_order_asked(targets: SlotTargets) -> None:
    ended_turn = msgspec.structs.replace(slot(1), turn_id=TURN)
    ended_flow = msgspec.structs.replace(slot(2), turn_id=None, workflow_id=FLOW)
    open_flow = msgspec.structs.replace(slot(3), turn_id=None, workflow_id=UUID(int=70))

    found = await targets.look([ended_flow, slot(4), open_flow, ended_turn])

    assert found == [
        Ended(outcome="completed"),
        None,
        None,
        Ended(outcome="failed", ended_ms=NOW, code="rate_limited"),
    ]


async def test_the_turn_or_the_workflow_of_a_slot_is_cancelled_and_no_other(
    targets: SlotTargets, turns: Turns, workflows: Workflows
) -> None:
    await targets.cancel(msgspec.structs.replace(slot(1), turn_id=TURN))
    await targets.cancel(msgspec.structs.replace(slot(2), turn_id=None, workflow_id=FLOW))

    assert turns.cancels == [
        CancelTurn(turn=OneTurn(org_id=ORG, session_id=SESSION, turn_id=TURN), reason=REASON)
    ]
    assert workflows.cancelled == [FLOW]


async def test_a_slot_without_ids_is_a_bug_and_says_so(targets: SlotTargets) -> None:
    with pytest.raises(MainspringError):
        await targets.start(schedule(), WAITING)
