"""Why turns, workflows, sessions and closed tasks do not move."""

from uuid import UUID

import msgspec
import pytest

from mainspring_engine.domain.explain.snapshot import Snapshot, TaskFacts
from mainspring_engine.domain.explain.subjects import explain
from mainspring_engine.domain.rows import Head, Outcome, WaitRow
from mainspring_engine.domain.turn.state import FREE, Appeal, OpenCall
from mainspring_engine.domain.turn.state import Phase as TurnPhase
from mainspring_engine.domain.workflow.state import Phase as WorkflowPhase
from mainspring_engine.domain.workflow.state import WorkflowState
from mainspring_schema.grants import SessionStatus
from mainspring_schema.operations import (
    LetterView,
    TaskDetails,
)
from mainspring_schema.workflows import ChildStart, Wait
from tests.unit.engine.explained import (
    DELAYED,
    HEAD,
    NOW,
    READY,
    SESSION,
    STATE,
    TASK,
    TIMER,
    TURN,
    failed,
    leased,
    letter,
    ready,
    snapshot,
    told,
    turn,
    user_workflow,
)

# ── turns ───────────────────────────────────────────────────────────────────────────────────────


def test_a_turn_parked_on_its_client_names_the_tools_and_the_deadline() -> None:
    parked = msgspec.structs.replace(
        STATE, phase=TurnPhase.CLIENT, reason_task=None, timer_id=TIMER,
        calls=(OpenCall(0, "ask", None), OpenCall(1, "pick", None)),
    )  # fmt: skip

    found = told(snapshot(workflow=turn(parked), timers={TIMER: NOW + 1000}))

    (reason,) = found.reasons
    assert (found.state, found.moving, reason.code) == ("client", False, "client_tools")
    assert "ask, pick" in reason.text
    assert reason.until_ms == NOW + 1000


def test_a_turn_that_waits_for_people_names_what_they_have_to_decide() -> None:
    parked = msgspec.structs.replace(
        STATE, phase=TurnPhase.CLIENT, reason_task=None, timer_id=TIMER,
        calls=(OpenCall(0, "pay", None, Appeal.APPROVAL), OpenCall(1, "show", None)),
    )  # fmt: skip

    (reason,) = told(snapshot(workflow=turn(parked), timers={TIMER: NOW + 1000})).reasons

    assert (reason.code, reason.until_ms) == ("appeals", NOW + 1000)
    assert reason.text.endswith(": pay")


def test_a_call_that_is_behind_another_says_which() -> None:
    acting = msgspec.structs.replace(
        STATE, phase=TurnPhase.ACT, reason_task=None,
        calls=(OpenCall(0, "bash", TASK), OpenCall(1, "python", None, behind=0)),
    )  # fmt: skip

    found = told(snapshot(leased(kind="tool", step="tool:1:0"), workflow=turn(acting)))

    assert [reason.code for reason in found.reasons] == ["at_work", "concurrency_class"]
    assert "the call python begins when bash has ended" in found.reasons[1].text
    assert found.moving


def test_a_call_behind_one_that_waits_for_people_does_not_move_by_itself() -> None:
    parked = msgspec.structs.replace(
        STATE, phase=TurnPhase.CLIENT, reason_task=None, timer_id=TIMER,
        calls=(OpenCall(0, "pay", None, Appeal.APPROVAL), OpenCall(1, "pay", None, behind=0)),
    )  # fmt: skip

    found = told(snapshot(workflow=turn(parked), timers={TIMER: NOW + 1000}))

    assert {reason.code for reason in found.reasons} == {"appeals", "concurrency_class"}
    assert not found.moving


@pytest.mark.parametrize("due_ms", [None, NOW + 1000])
def test_a_turn_that_rests_for_a_budget_says_when_it_looks_again(due_ms: int | None) -> None:
    resting = msgspec.structs.replace(
        STATE, phase=TurnPhase.PAUSED, reason_task=None, timer_id=TIMER if due_ms else None
    )

    found = told(snapshot(workflow=turn(resting), timers={TIMER: due_ms} if due_ms else {}))

    (reason,) = found.reasons
    assert (reason.code, reason.until_ms) == ("budget", due_ms)
    assert found.moving is (due_ms is not None)
    assert ("looks again by itself at" in reason.text) is (due_ms is not None)


def test_a_turn_that_rests_before_a_tool_call_names_it() -> None:
    resting = msgspec.structs.replace(
        STATE,
        phase=TurnPhase.PAUSED,
        reason_task=None,
        calls=(OpenCall(0, "add", None, behind=FREE),),
    )

    (reason,) = told(snapshot(workflow=turn(resting))).reasons

    assert reason.code == "budget"
    assert "has no room for add" in reason.text


def test_a_call_without_room_is_told_of_beside_what_is_at_work() -> None:
    busy = msgspec.structs.replace(
        STATE,
        phase=TurnPhase.ACT,
        calls=(OpenCall(0, "sleep", TASK), OpenCall(1, "add", None, behind=FREE)),
    )

    found = told(snapshot(leased(), workflow=turn(busy)))

    assert {reason.code for reason in found.reasons} == {"at_work", "budget"}
    assert found.moving


def test_a_cancelling_turn_tells_its_deadline_beside_who_is_at_work() -> None:
    cancelling = msgspec.structs.replace(
        STATE, phase=TurnPhase.CANCELLING, cancel_reason="user", timer_id=TIMER
    )

    found = told(
        snapshot(leased(cancelling=True), workflow=turn(cancelling), timers={TIMER: NOW + 7})
    )

    assert [reason.code for reason in found.reasons] == ["stopping", "cancelling"]
    assert found.reasons[1].until_ms == NOW + 7
    assert found.moving


def test_what_matters_most_is_what_needs_somebody() -> None:
    found = told(snapshot(leased(), ready(capability="maths", kind="tool", step="tool:1:1")))

    assert [reason.code for reason in found.reasons] == ["at_work", "no_worker"]
    assert found.summary == found.reasons[1].text
    assert not found.moving


def test_a_turn_that_nothing_can_move_is_called_stuck() -> None:
    found = told(snapshot())

    assert [reason.code for reason in found.reasons] == ["stuck"]
    assert not found.moving


def test_a_turn_that_ended_says_how() -> None:
    found = told(snapshot(workflow=turn(outcome=Outcome.COMPLETED)))

    assert (found.state, found.moving) == ("completed", True)
    assert found.summary == "the turn has ended: completed"


@pytest.mark.parametrize(
    ("dead", "moving", "advice"),
    [
        (letter("open"), False, "requeue"),
        (letter("open"), False, "Mend what kills the workers"),
        (letter("open", reason="exhausted"), False, "Mend what its attempts failed of"),
        (letter("open", reason="no_progress"), False, "Start a worker that keeps it"),
        (letter("open", kind="workflow"), False, "/fork; POST dead-letters"),
        (letter("refused", refusal="superseded"), False, "superseded"),
        (letter("requeueing", due_ms=NOW + 5), True, "when it is due"),
        (letter("discarded"), True, ""),
    ],
)
def test_a_turn_that_died_of_a_dead_letter_leads_to_it(
    dead: LetterView, moving: bool, advice: str
) -> None:
    found = told(snapshot(workflow=turn(outcome=Outcome.FAILED), letter=dead))

    assert [reason.code for reason in found.reasons] == ["ended", "dead_letter"]
    assert advice in found.reasons[1].advice
    assert found.moving is moving


# ── users' workflows ────────────────────────────────────────────────────────────────────────────


def waiting(*waits: WaitRow, **rest: object) -> Snapshot:
    state = WorkflowState(type="order", key="k", queue="default", phase=WorkflowPhase.WAITING)
    return snapshot(workflow=user_workflow(state), waits=waits, **rest)


def test_a_sleeping_workflow_tells_when_it_wakes() -> None:
    wait = WaitRow(
        workflow_id=TURN, wait=Wait(step="1", name="a day", kind="sleep"), timer_id=TIMER
    )

    found = told(waiting(wait, timers={TIMER: NOW + 86_400_000}))

    assert (found.state, found.moving, found.of_turn) == ("waiting", True, False)
    assert found.summary == "it sleeps until 2023-11-15T22:13:20.000Z (a day)"


@pytest.mark.parametrize(
    ("timer", "said"), [(None, "however long"), (TIMER, "until 2023-11-14T22:13:21.000Z")]
)
def test_a_workflow_that_waits_for_a_signal_names_it(timer: UUID | None, said: str) -> None:
    wait = Wait(step="1", name="paid", kind="signal")

    found = told(
        waiting(WaitRow(workflow_id=TURN, wait=wait, timer_id=timer), timers={TIMER: NOW + 1000})
    )

    (reason,) = found.reasons
    assert (reason.code, found.moving) == ("signal", False)
    assert "it waits for the signal paid" in reason.text
    assert said in reason.text
    assert reason.advice == "Send the signal paid to it."


def test_a_workflow_that_waits_for_its_child_goes_on_when_that_one_ends() -> None:
    child = ChildStart(type="pay", workflow_id=TASK)
    wait = Wait(step="1", name="pay", kind="child", child=child)

    found = told(waiting(WaitRow(workflow_id=TURN, wait=wait)))

    assert ([reason.code for reason in found.reasons], found.moving) == (["child"], True)
    assert "ask why that one does not move" in found.reasons[0].advice


def test_a_workflow_moves_as_the_child_does_that_it_waits_for() -> None:
    child = ChildStart(type="pay", workflow_id=TASK)
    wait = Wait(step="1", name="pay", kind="child", child=child)
    paid = WaitRow(workflow_id=TASK, wait=Wait(step="1", name="paid", kind="signal"))
    of_child = told(waiting(paid))

    found = told(waiting(WaitRow(workflow_id=TURN, wait=wait), children={TASK: of_child}))

    (reason,) = found.reasons
    assert (reason.code, reason.moving, found.moving) == ("child", False, False)
    assert "which is waiting: it waits for the signal paid" in reason.text
    assert reason.advice == "Send the signal paid to it."


def test_a_held_workflow_says_where_its_code_differs() -> None:
    state = WorkflowState(
        type="order", key="k", queue="default", phase=WorkflowPhase.HELD,
        problem="version_conflict at step 2",
    )  # fmt: skip
    task = TaskFacts(
        task=msgspec.structs.replace(DELAYED, kind="workflow", step="workflow"),
        last=failed("version_conflict"),
    )

    found = told(snapshot(task, workflow=user_workflow(state)))

    assert [reason.code for reason in found.reasons] == ["version", "version"]
    assert [bool(reason.advice) for reason in found.reasons].count(True) == 1
    assert "at step 2" in found.reasons[1].text
    assert not found.moving


# ── sessions and tasks ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("head", "messages", "code", "moving"),
    [
        (msgspec.structs.replace(HEAD, status=SessionStatus.STARTED), 0, "idle", True),
        (msgspec.structs.replace(HEAD, status=SessionStatus.IDLE), 0, "idle", True),
        (msgspec.structs.replace(HEAD, status=SessionStatus.IDLE, paused=True), 0, "budget", False),
        (msgspec.structs.replace(HEAD, status=SessionStatus.IDLE), 2, "stuck", False),
    ],
)
def test_a_session_at_rest_says_what_it_waits_for(
    head: Head, messages: int, code: str, moving: bool
) -> None:
    of = snapshot(head=head, messages=messages, workflow=None)

    found = explain("session", SESSION, of)

    assert [reason.code for reason in found.reasons] == [code]
    assert found.moving is moving


def test_a_session_at_work_is_explained_by_its_turn() -> None:
    found = explain("session", SESSION, snapshot(ready(), seats=()))

    assert (found.subject, found.id, found.workflow_id) == ("session", SESSION, TURN)
    assert [reason.code for reason in found.reasons] == ["no_worker"]


def test_a_session_whose_last_turn_died_leads_to_the_dead_letter() -> None:
    of = snapshot(
        head=msgspec.structs.replace(HEAD, status=SessionStatus.IDLE),
        workflow=turn(outcome=Outcome.FAILED),
        letter=letter("open"),
    )

    found = explain("session", SESSION, of)

    assert [reason.code for reason in found.reasons] == ["idle", "dead_letter"]


def test_an_open_task_is_explained_alone() -> None:
    other = ready(id=UUID(int=99), capability="maths")

    found = explain("task", TASK, snapshot(leased(), other))

    assert (found.state, [reason.code for reason in found.reasons]) == ("leased", ["at_work"])


def test_a_closed_task_says_how_it_ended_and_where_its_letter_is() -> None:
    view = msgspec.structs.replace(READY, status="closed")
    details = TaskDetails(task=view, attempts=(failed("poison"),), payload=b"")

    found = explain("task", TASK, snapshot(closed=details, letter=letter("open")))

    assert found.state == "closed"
    assert [reason.code for reason in found.reasons] == ["closed", "dead_letter"]
    assert "attempt 1 ended as retried with poison" in found.reasons[0].text


def test_a_plain_task_belongs_to_no_session_and_no_workflow() -> None:
    alone = msgspec.structs.replace(snapshot(ready(), seats=()), head=None, workflow=None)

    found = explain("task", TASK, alone)

    assert (found.session_id, found.workflow_id, found.state) == (None, None, "ready")
    assert found.reasons[0].code == "no_worker"
