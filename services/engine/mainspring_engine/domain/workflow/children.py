"""Workflows that a workflow starts. Parent and child tell each other things by signals.

A signal is written with its cause and taken through the lane of the session it is for, so no commit
has two heads. A child is started, is told to cancel, and tells its end at most once each, so the
kind identifies a signal.
"""

from uuid import UUID

import msgspec

from mainspring_engine.domain.changes import NewSignal
from mainspring_engine.domain.intents import SignalCame
from mainspring_engine.domain.limits import WORKFLOW_DEPTH_MAX
from mainspring_engine.domain.materials import Materials
from mainspring_engine.domain.plan import Plan
from mainspring_engine.domain.rows import SignalRow, WaitRow
from mainspring_engine.domain.workflow.going import Going
from mainspring_engine.domain.workflow.state import Phase
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_schema.codec import pack
from mainspring_schema.tasks import WorkflowResult
from mainspring_schema.workflows import ChildStart, Flaw, Parent, StartWorkflow, Wait

START = "child:start"
ENDED = "child:ended"
CANCEL = "child:cancel"
KINDS = (START, ENDED, CANCEL)
LOST = "child:lost"
"""No signal that lies anywhere: the start of a child, or its end, was given up."""
CANCELLED = "cancelled"
"""Code of the flaw that a child's cancellation is to its parent."""
LOST_FLAW = Flaw(
    code="child_lost", message="its start or its end could not be taken in, whatever was tried"
)
TOO_DEEP = Flaw(
    code="too_deep", message=f"at most {WORKFLOW_DEPTH_MAX} workflows start one within another"
)


def is_too_deep(going: Going) -> bool:
    """Whether it may start none."""
    return going.state.depth >= WORKFLOW_DEPTH_MAX


def begin(going: Going, wait: Wait, child: ChildStart) -> Wait | None:
    """Has the child started by its own session; the wait as it is kept. None where too deep."""
    if is_too_deep(going):
        return None
    depth = going.state.depth + 1
    child_id = going.ids.uuid7()
    linked = wait.kind == "child"
    command = StartWorkflow(
        org_id=going.workflow.org_id,
        workflow_id=child_id,
        type=child.type,
        input=child.input,
        queue=child.queue,
        build=going.state.build_on(child.queue),
        keys=child.keys,
        circuit=child.circuit,
        start_within_ms=child.start_within_ms,
        traceparent=going.workflow.traceparent,
        parent=Parent(workflow_id=going.workflow.id, linked=linked, depth=depth),
    )
    _tell(going, child_id, START, pack(command))
    going.emit(
        "workflow.child_started",
        {
            "step": wait.step,
            "workflow_id": to_wire(Prefix.WORKFLOW, child_id),
            "type": child.type,
            "queue": child.queue,
            "detached": not linked,
        },
    )
    known = msgspec.structs.replace(child, input=b"", workflow_id=child_id)
    return msgspec.structs.replace(wait, child=known)


def cancel(going: Going, row: WaitRow) -> None:
    """Tells a linked child to stop, unless this workflow's own cancel told it before."""
    child = row.wait.child
    if child is None or child.workflow_id is None or going.state.phase is Phase.CANCELLING:
        return
    _tell(going, child.workflow_id, CANCEL, b"")


def ended(going: Going, result: WorkflowResult) -> None:
    """Brings the end to a parent that waits for it."""
    parent = going.state.parent
    if parent is not None and going.state.linked:
        _tell(going, parent, ENDED, pack(result))


def flaw_of(result: WorkflowResult) -> Flaw | None:
    """What a child's end raises in its parent."""
    match result.outcome:
        case "completed":
            return None
        case "cancelled":
            return Flaw(code=CANCELLED, message="the child was cancelled")
        case _:
            return result.flaw or Flaw(code="workflow_failed", message="it raised")


def is_of(row: WaitRow, child_id: UUID) -> bool:
    """Whether this wait is for that child."""
    return row.wait.child is not None and row.wait.child.workflow_id == child_id


def untaken(plan: Plan, intent: SignalCame, materials: Materials) -> SignalRow | None:
    """The signal, where it still lies there. Raises WaitingMissing."""
    known = (intent.source, intent.kind)
    if any((take.source, take.kind) == known for take in plan.taken_signals):
        return None
    signals = materials.waiting_of(intent.session_id).signals
    return next((s for s in signals if (s.source, s.kind) == known), None)


def _tell(going: Going, to: UUID, kind: str, body: bytes) -> None:
    going.plan.signals.append(
        NewSignal(source=going.workflow.id, kind=kind, body=body, taken=False, to=to)
    )
