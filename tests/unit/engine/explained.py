"""Snapshots to explain: a session with one turn, as each test changes it."""

from uuid import UUID

import msgspec

from mainspring_engine.domain.explain.snapshot import Snapshot, TaskFacts
from mainspring_engine.domain.explain.subjects import explain
from mainspring_engine.domain.rows import Head, Outcome, Workflow
from mainspring_engine.domain.samples import SeatSample
from mainspring_engine.domain.turn import state as turns
from mainspring_engine.domain.turn.state import Phase as TurnPhase
from mainspring_engine.domain.turn.state import TurnState
from mainspring_engine.domain.workflow import state as workflows
from mainspring_engine.domain.workflow.state import WorkflowState
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema.explaining import Explanation, Reason
from mainspring_schema.grants import SessionStatus
from mainspring_schema.operations import (
    AttemptView,
    LetterStatus,
    LetterView,
    TaskView,
    WorkerStatus,
    WorkerView,
)

NOW = 1_700_000_000_000
SESSION, TURN, TASK, WORKER, TIMER = (UUID(int=n) for n in range(1, 6))
HEAD = Head(
    session_id=SESSION,
    org_id=DEFAULT_ORG_ID,
    last_seq=5,
    hash=b"h",
    ts_ms=NOW,
    status=SessionStatus.ACTIVE,
)
STATE = TurnState(
    phase=TurnPhase.REASON, iteration=1, input_message_id=TASK, message_id=TASK, reason_task=TASK
)
READY = TaskView(
    id=TASK,
    workflow_id=TURN,
    session_id=SESSION,
    step="reason:1",
    kind="reason",
    status="ready",
    effect="pure",
    queue="default",
    capability="",
    build="",
    model="p/m",
    due_ms=NOW - 500,
)
LEASED = msgspec.structs.replace(
    READY,
    status="leased",
    fence=2,
    claimed_ms=NOW - 4000,
    lease_until_ms=NOW + 6000,
    worker_id=WORKER,
    worker_name="w1",
    acknowledged=True,
)
DELAYED = msgspec.structs.replace(READY, status="delayed", due_ms=NOW + 8000, failures=2)
SEAT = SeatSample(
    queues=frozenset({"default"}),
    capabilities=frozenset({""}),
    build="b1",
    active=1,
    silent=0,
    draining=0,
    slots=4,
    held=1,
)


def holder(status: WorkerStatus = "active") -> WorkerView:
    return WorkerView(
        id=WORKER, name="w1", build="b1", status=status, queues=("default",), capabilities=("",),
        slots=4, held=1, attached_ms=1, silent_ms=None, drained_ms=None, left_ms=None,
        leaving=False,
    )  # fmt: skip


def failed(code: str, message: str = "") -> AttemptView:
    return AttemptView(
        fence=1, worker_id=WORKER, worker_name="w1", worker_build="b1", claimed_ms=1,
        closed_ms=NOW - 100, acknowledged=True, started=False, closing="retried", error_code=code,
        error_message=message,
    )  # fmt: skip


def letter(status: LetterStatus, **rest: object) -> LetterView:
    plain = LetterView(
        task_id=TASK, workflow_id=TURN, session_id=SESSION, step="reason:1", kind="reason",
        reason="poison", detail="the task lost its worker 3 times", died_ms=NOW, status=status,
    )  # fmt: skip
    return msgspec.structs.replace(plain, **rest)


def turn(state: TurnState = STATE, outcome: Outcome = Outcome.RUNNING) -> Workflow:
    return Workflow(
        id=TURN, session_id=SESSION, org_id=DEFAULT_ORG_ID, ordinal=1, rev=1, outcome=outcome,
        state=turns.encode(state), config_hash=b"c", traceparent="", started_ms=1,
    )  # fmt: skip


def user_workflow(state: WorkflowState) -> Workflow:
    encoded = workflows.encode(state)
    return msgspec.structs.replace(turn(), state=encoded, config_hash=b"")


def snapshot(*tasks: TaskFacts, **rest: object) -> Snapshot:
    plain = Snapshot(
        now_ms=NOW, head=HEAD, workflow=turn(), tasks=tasks, seats=(SEAT,),
        sweeps_ms={"leases": 500, "timers": 500, "retries": 500},
    )  # fmt: skip
    return msgspec.structs.replace(plain, **rest)


def told(of: Snapshot) -> Explanation:
    return explain("workflow", TURN, of)


def only(of: Snapshot) -> Reason:
    (reason,) = told(of).reasons
    return reason


def ready(**rest: object) -> TaskFacts:
    return TaskFacts(task=msgspec.structs.replace(READY, **rest), ahead=7)


def leased(status: WorkerStatus | None = "active", **rest: object) -> TaskFacts:
    task = msgspec.structs.replace(LEASED, **rest)
    return TaskFacts(task=task, holder=None if status is None else holder(status))
