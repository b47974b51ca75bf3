"""What a slot asks of turns and workflows."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
import pytest

from mainspring_kernel.errors import MainspringError, NotFound, Unavailable
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_scheduler.domain.slots import Begins, Ended, Slot, Started, slot_key, starting
from mainspring_scheduler.usecases.targets import SlotTargets
from mainspring_schema.posting import CancelTurn, OneTurn, Posted, PostMessage, TurnState
from mainspring_schema.workflows import (
    CancelWorkflow,
    Flaw,
    GetWorkflow,
    StartWorkflow,
    Status,
    WorkflowCancelReceipt,
    WorkflowView,
)
from mainspring_schema.workflows import Started as WorkflowStarted
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
GONE = UUID(int=70)
UNTOLD = UUID(int=71)


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
        self.started: list[StartWorkflow] = []
        self.cancelled: list[CancelWorkflow] = []
        self.status: Status = "completed"

    async def start(self, command: StartWorkflow) -> WorkflowStarted:
        self.started.append(command)
        return WorkflowStarted(workflow_id=command.workflow_id)

    async def get(self, command: GetWorkflow) -> WorkflowView:
        if command.workflow_id == GONE:
            raise NotFound
        if command.workflow_id == UNTOLD:
            raise Unavailable
        flaw = Flaw(code="step_failed", message="x") if self.status == "failed" else None
        return WorkflowView(
            workflow_id=command.workflow_id,
            type="report",
            key="k",
            queue="default",
            status=self.status,
            started_ms=NOW,
            flaw=flaw,
        )

    async def cancel(self, command: CancelWorkflow) -> WorkflowCancelReceipt:
        if command.workflow_id == GONE:
            raise NotFound
        self.cancelled.append(command)
        return WorkflowCancelReceipt(status="cancelled")


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
    (command,) = workflows.started
    assert (command.workflow_id, command.key) == (FLOW, slot_key(TO_WORKFLOW))
    assert (command.type, command.input, command.queue) == ("report", b"[]", "default")


def of_workflow(number: int, workflow_id: UUID) -> Slot:
    return msgspec.structs.replace(slot(number), turn_id=None, workflow_id=workflow_id)


async def test_outcomes_come_in_the_order_asked(targets: SlotTargets) -> None:
    ended_turn = msgspec.structs.replace(slot(1), turn_id=TURN)

    found = await targets.look([of_workflow(2, FLOW), slot(4), of_workflow(3, GONE), ended_turn])

    assert found == [
        Ended(outcome="completed"),
        None,
        Ended(outcome="cancelled", code="not_found"),
        Ended(outcome="failed", ended_ms=NOW, code="rate_limited"),
    ]


async def test_a_workflow_that_nobody_can_tell_of_holds_up_no_other(targets: SlotTargets) -> None:
    found = await targets.look([of_workflow(1, UNTOLD), of_workflow(2, FLOW)])

    assert found == [None, Ended(outcome="completed")]


@pytest.mark.parametrize(
    ("status", "ended"),
    [
        ("running", None),
        ("waiting", None),
        # Its code does not fit: it goes on when a worker comes that fits.
        ("held", None),
        ("failed", Ended(outcome="failed", code="step_failed")),
        ("cancelled", Ended(outcome="cancelled")),
    ],
)
async def test_a_workflow_is_at_work_until_it_has_ended(
    targets: SlotTargets, workflows: Workflows, status: Status, ended: Ended | None
) -> None:
    workflows.status = status

    assert await targets.look([of_workflow(1, FLOW)]) == [ended]


async def test_the_turn_or_the_workflow_of_a_slot_is_cancelled_and_no_other(
    targets: SlotTargets, turns: Turns, workflows: Workflows
) -> None:
    await targets.cancel(msgspec.structs.replace(slot(1), turn_id=TURN))
    await targets.cancel(of_workflow(2, FLOW))
    await targets.cancel(of_workflow(3, GONE))

    assert turns.cancels == [
        CancelTurn(turn=OneTurn(org_id=ORG, session_id=SESSION, turn_id=TURN), reason="overlap")
    ]
    assert workflows.cancelled == [CancelWorkflow(org_id=ORG, workflow_id=FLOW, reason="overlap")]


async def test_a_slot_without_ids_is_a_bug_and_says_so(targets: SlotTargets) -> None:
    with pytest.raises(MainspringError):
        await targets.start(schedule(), WAITING)
