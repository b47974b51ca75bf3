"""The machine of workflows of code: go → wait → go … → one outcome. Pure.

The code runs at a worker. What it finished is recorded, and what it waits for is rows. Each
function is one thing that can happen to a workflow.
"""

from uuid import UUID

import msgspec

from mainspring_engine.domain.changes import CloseTask, Start, StepResult
from mainspring_engine.domain.limits import (
    WORKFLOW_HELD_RETRY_S,
    WORKFLOW_HELD_RETRY_S_MAX,
    WORKFLOW_IDLE_GOES_MAX,
)
from mainspring_engine.domain.loss import NO_PROGRESS
from mainspring_engine.domain.materials import Materials
from mainspring_engine.domain.plain import NOT_BEGUN
from mainspring_engine.domain.plan import Plan
from mainspring_engine.domain.routes import keys_under
from mainspring_engine.domain.rows import Closing, OpenTask, Outcome, TaskState, Workflow
from mainspring_engine.domain.workflow import cancelling, declared, forking, outcomes, waiting
from mainspring_engine.domain.workflow import state as states
from mainspring_engine.domain.workflow.ending import TIMER_CLOSE, end, fail, of_the_cancel
from mainspring_engine.domain.workflow.going import (
    OUTCOME_STEP,
    Going,
    cut,
    value,
)
from mainspring_engine.domain.workflow.state import VERSION_CONFLICT, Phase, WorkflowState
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_kernel.tracing import TraceContext, new_trace, span_id_for
from mainspring_schema.codec import pack
from mainspring_schema.declarations import hash_of, version_of
from mainspring_schema.grants import SessionStatus
from mainspring_schema.tasks import WorkflowResult
from mainspring_schema.workflows import (
    Flaw,
    Mismatch,
    SignalWorkflow,
    Started,
    StartWorkflow,
    key_of,
    start_hash_of,
)

TIMER_START = "start"


def start(plan: Plan, command: StartWorkflow, materials: Materials) -> Started:
    """The first event, the input, the first task."""
    id_, key, fork = command.workflow_id, key_of(command), command.fork
    plan.start = Start(
        workflow_id=id_,
        type=command.type,
        key=key,
        queue=command.queue,
        hash=start_hash_of(command.type, command.queue, command.input, fork, command.declaration),
        copied=None if fork is None else forking.copied(fork),
    )
    going = Going(plan, _new_workflow(plan, command, key, materials), materials)
    plan.set_status(SessionStatus.ACTIVE)
    plan.set_active_turn(id_, first_seq=1)
    told = _told(command, key)
    going.emit("workflow.started", told | value("input", command.input))
    going.record_input(command.input)
    if command.start_within_ms is not None:
        going.update(start_timer=going.timer(TIMER_START, command.start_within_ms))
    if command.close_within_ms is not None:
        going.update(close_timer=going.timer(TIMER_CLOSE, command.close_within_ms))
    if command.declaration is None:
        going.go()
        going.save()
    else:
        declared.begin(going, command.declaration, fork)
    return Started(workflow_id=id_, started_ms=plan.now_ms)


def _told(command: StartWorkflow, key: str) -> dict[str, object]:
    """What the first event says beside the input."""
    told: dict[str, object] = {
        "workflow_id": to_wire(Prefix.WORKFLOW, command.workflow_id),
        "type": command.type,
        "key": key,
        "queue": command.queue,
    }
    if command.build:
        told["build"] = command.build
    if command.keys:
        told["keys"] = command.keys
    if command.circuit:
        told["circuit"] = command.circuit
    if command.parent is not None:
        told["parent_id"] = to_wire(Prefix.WORKFLOW, command.parent.workflow_id)
    if command.declaration is not None:
        told["version"] = version_of(hash_of(command.declaration))
    fork = command.fork
    if fork is not None:
        source = to_wire(Prefix.WORKFLOW, fork.source_id)
        told["forked_from"] = {"workflow_id": source, "step": fork.before}
        told["generation"] = fork.generation
    return told


def _new_workflow(plan: Plan, command: StartWorkflow, key: str, materials: Materials) -> Workflow:
    blank = WorkflowState(
        type=command.type,
        key=key,
        queue=command.queue,
        build=command.build,
        keys=keys_under(command.keys, command.circuit),
    )
    parent = command.parent
    if parent is not None:
        blank = msgspec.structs.replace(
            blank, parent=parent.workflow_id, linked=parent.linked, depth=parent.depth
        )
    if command.fork is not None:
        blank = msgspec.structs.replace(
            blank,
            source=command.fork.source_id,
            asked=command.fork.asked,
            found=states.FOUND_BY_FORKS,
            generation=command.fork.generation,
        )
    trace = TraceContext.parse(command.traceparent)
    if trace is None:
        trace = new_trace(materials.draws, materials.trace_ratio)
    return Workflow(
        id=command.workflow_id,
        session_id=plan.head.session_id,
        org_id=plan.head.org_id,
        ordinal=1,
        rev=0,
        outcome=Outcome.RUNNING,
        state=states.encode(blank),
        config_hash=b"",
        traceparent=trace.under(span_id_for(command.workflow_id, 0)).format(),
        started_ms=plan.now_ms,
    )


def answered(
    going: Going, held: tuple[UUID, int, bytes], result: WorkflowResult, *, elsewhere: bool = False
) -> None:
    """A go ended. `held` are task, fence and hash of the result.

    `elsewhere`: another worker can have the next one at once, should the code not fit.
    """
    task_id, fence, result_hash = held
    for step in result.steps:
        going.record(step, task_id=task_id, fence=fence)
    match "cancelled" if of_the_cancel(going, result) else result.outcome:
        case "held" if elsewhere and going.state.phase is not Phase.CANCELLING:
            _go_elsewhere(going, held)
            return
        case "held":
            _hold(going, held, result.mismatch)
            return
        case "suspended" | "renewed" | "declared":
            going.close_held(task_id, fence, Closing.SUSPENDED, result_hash=result_hash)
            _left(going, fence, result)
            return
        case "cancelled":
            # A worker stops by itself only where its cancel was wished for.
            going.close_held(task_id, fence, Closing.CANCELLED, result_hash=result_hash)
            cancelling.stopped(going)
            return
        case "completed" | "failed":
            _keep_outcome(going, held, result)
    if result.outcome == "completed":
        going.emit("workflow.completed", value("result", result.result))
        end(going, Outcome.COMPLETED, WorkflowResult(outcome="completed", result=result.result))
    else:
        fail(going, result.flaw or Flaw(code="workflow_failed", message="it raised"))


def signalled(going: Going, command: SignalWorkflow) -> None:
    payload = value("payload", command.payload)
    going.emit("workflow.signalled", waiting.signal_view(command) | payload)
    if waiting.signalled(going, command) is not None:
        going.wake()
    going.save()


def wait_over(going: Going, timer_id: UUID) -> bool:
    """A timer of a wait is due; False where it waits no more."""
    row = next((r for r in waiting.rows(going).waits if r.timer_id == timer_id), None)
    if row is None:
        return False
    waiting.over(going, row)
    _moved(going)
    return True


def not_taken(going: Going) -> bool:
    """Its time to be taken is over; False where a worker took it, or it is being cancelled."""
    tasks = going.open_tasks()
    untaken = tasks and all(t.state is TaskState.READY and t.fence == 0 for t in tasks)
    if going.state.phase is Phase.CANCELLING or going.state.goes > len(tasks) or not untaken:
        return False
    going.update(start_timer=None)
    if going.state.course is not None:
        outcomes.give_up(going, NOT_BEGUN, tasks)
        return True
    for task in tasks:
        going.cancel_unheld(task)
    fail(going, NOT_BEGUN)
    return True


def child_ended(going: Going, child_id: UUID, result: WorkflowResult) -> None:
    """Its result is the step's of the parent."""
    waiting.child_ended(going, child_id, result)
    _moved(going)


def _moved(going: Going) -> None:
    if going.state.phase is Phase.CANCELLING and going.state.task_id is None:
        cancelling.stopped(going)
        return
    going.wake()
    going.save()


def died(going: Going, task: OpenTask) -> None:
    """Its task may not simply begin again: it killed its workers, or is being cancelled."""
    if going.state.phase is Phase.CANCELLING:
        going.cancel_unheld(task)
        cancelling.stopped(going)
        return
    fail(going, going.plan.set_aside(task, going.workflow.id))


# ── within a result ─────────────────────────────────────────────────────────────────────────────


def _keep_outcome(going: Going, held: tuple[UUID, int, bytes], result: WorkflowResult) -> None:
    task_id, fence, result_hash = held
    closing = Closing.RESULT if result.outcome == "completed" else Closing.FAILED
    going.close_held(task_id, fence, closing, result_hash=result_hash)
    kept = WorkflowResult(outcome=result.outcome, result=result.result, flaw=result.flaw)
    going.plan.results.append(
        StepResult(
            workflow_id=going.workflow.id,
            step=OUTCOME_STEP,
            task_id=task_id,
            fence=fence,
            body=pack(kept),
            hash=result_hash,
        )
    )


def _left(going: Going, fence: int, result: WorkflowResult) -> None:
    """The code gave its worker back, for now or for good."""
    if going.state.phase is Phase.CANCELLING:
        cancelling.stopped(going)
    elif result.outcome == "suspended":
        going.update(rested=fence)
        _suspend(going, result)
    elif result.outcome == "renewed":
        _start_over(going, result)
    else:
        declared.take_over(going, result.declaration)


def _suspend(going: Going, result: WorkflowResult) -> None:
    waiting.leave(going, result.waits)
    woken = waiting.arm(going, result.waits)
    waiting.hear_no_more(going, result.waits)
    if woken or not result.waits:
        # What it waits for is there already, or it waits for nothing that could come.
        _go_at_once(going)
        return
    going.emit("workflow.waiting", {"waits": waiting.names(result.waits)})
    going.update(phase=Phase.WAITING)
    going.save()


def _go_at_once(going: Going) -> None:
    if not _spins(going):
        going.go()
        going.save()


def _spins(going: Going) -> bool:
    """Ends one that goes round and round: what it recorded stays, and a fork can take it up."""
    if not going.plan.steps:
        going.update(idle=going.state.idle + 1)
    if going.state.idle < WORKFLOW_IDLE_GOES_MAX:
        return False
    message = f"{WORKFLOW_IDLE_GOES_MAX} goes in a row recorded nothing and asked for another"
    fail(going, Flaw(code=NO_PROGRESS, message=message))
    return True


def _start_over(going: Going, result: WorkflowResult) -> None:
    """The code begins anew with an empty record; nobody reads the old one any more."""
    if _spins(going):
        return
    untaken = waiting.untaken(going, result.waits)
    hears = waiting.of_the_cancel(going) is not None
    if going.state.waits:
        waiting.drop_all(going)
    going.update(generation=going.state.generation + 1, found=0)
    told: dict[str, object] = {"generation": going.state.generation}
    going.emit("workflow.started_over", told | value("input", result.result))
    going.record_input(result.result)
    waiting.carry(going, untaken)
    waiting.hear_again(going, hears=hears)
    going.go()
    going.save()


def _go_elsewhere(going: Going, held: tuple[UUID, int, bytes]) -> None:
    """Another task, for the one at hand would be given out to whoever is free, this worker too."""
    task_id, fence, result_hash = held
    going.close_held(
        task_id, fence, Closing.SUSPENDED, result_hash=result_hash, error_code=VERSION_CONFLICT
    )
    going.go()
    going.save()


def _hold(going: Going, held: tuple[UUID, int, bytes], mismatch: Mismatch | None) -> None:
    """The code differs from what is recorded: nothing is lost, and code that fits may come."""
    task_id, fence, result_hash = held
    if going.state.phase is Phase.CANCELLING:
        going.close_held(task_id, fence, Closing.CANCELLED, result_hash=result_hash)
        cancelling.stopped(going)
        return
    problem = VERSION_CONFLICT
    if mismatch is not None:
        problem += (
            f" at step {mismatch.step}: {mismatch.recorded} is recorded, {mismatch.found} found"
        )
    if going.state.problem != cut(problem):
        going.emit("workflow.held", {"code": VERSION_CONFLICT, "message": problem})
    delay_s = min(
        WORKFLOW_HELD_RETRY_S_MAX, WORKFLOW_HELD_RETRY_S * (1 << min(8, going.state.holds))
    )
    going.plan.closes.append(
        CloseTask(
            task_id=task_id,
            fence=fence,
            expected=TaskState.LEASED,
            closing=Closing.RETRIED,
            result_hash=result_hash,
            error_code=VERSION_CONFLICT,
            delay_ms=round(delay_s * 1000),
            # It counts as no loss: of those a task may have few.
            counts_failure=True,
        )
    )
    going.update(phase=Phase.HELD, holds=going.state.holds + 1, problem=cut(problem))
    going.save()
