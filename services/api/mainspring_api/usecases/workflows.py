"""What callers see of a workflow: its start, and its end, which they wait for."""

import asyncio
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct, field

from mainspring_api.ports.control import Control
from mainspring_api.ports.endings import Endings
from mainspring_api.usecases.told import told_within
from mainspring_kernel.clock import Clock
from mainspring_schema.declarations import hash_of, version_of
from mainspring_schema.events import decode_payload
from mainspring_schema.wake import WorkflowEnded
from mainspring_schema.workflows import (
    Flaw,
    GetWorkflow,
    StartWorkflow,
    Status,
    WorkflowView,
    key_of,
)

ENDED: Final = frozenset({"completed", "failed", "cancelled"})
_STATUS: Final[dict[str, Status]] = {
    "workflow.completed": "completed",
    "workflow.failed": "failed",
    "workflow.cancelled": "cancelled",
}
ENDS: Final = frozenset(_STATUS)


def just_started(command: StartWorkflow, started_ms: int) -> WorkflowView:
    """As it was in the moment of its start: nothing has happened that would have to be read."""
    declaration = command.declaration
    return WorkflowView(
        workflow_id=command.workflow_id,
        type=command.type,
        key=key_of(command),
        queue=command.queue,
        status="running",
        started_ms=started_ms,
        version="" if declaration is None else version_of(hash_of(declaration)),
    )


async def started(
    control: Control, endings: Endings, clock: Clock, command: StartWorkflow, *, wait_s: float
) -> WorkflowView:
    """As it was at its start; with `wait_s` as `ended`. Raises what refuses the start."""
    if wait_s <= 0:
        return await _start(control, command)
    tail = _Tail(command.org_id)
    with endings.of_workflow(command.workflow_id, tail.deliver):
        view = await _start(control, command)
        if view.workflow_id == command.workflow_id:
            return await _followed(
                control, endings, clock, view, tail, until_s=clock.mono() + wait_s
            )
    wanted = GetWorkflow(org_id=command.org_id, workflow_id=view.workflow_id)
    return await ended(control, endings, clock, wanted, wait_s=wait_s)


async def ended(
    control: Control, endings: Endings, clock: Clock, command: GetWorkflow, *, wait_s: float
) -> WorkflowView:
    """The workflow once it has ended, or as it is after `wait_s`. Raises NotFound."""
    if wait_s <= 0:
        return await control.get_workflow(command)
    tail, until_s = _Tail(command.org_id), clock.mono() + wait_s
    with endings.of_workflow(command.workflow_id, tail.deliver):
        # Asked once it is listened for, for it may have ended before it.
        view = await control.get_workflow(msgspec.structs.replace(command, explain=False))
        return await _followed(control, endings, clock, view, tail, until_s=until_s)


async def _start(control: Control, command: StartWorkflow) -> WorkflowView:
    """One that the key started before is answered as it is now."""
    receipt = await control.start_workflow(command)
    if receipt.started_ms is not None:
        return just_started(command, receipt.started_ms)
    wanted = GetWorkflow(org_id=command.org_id, workflow_id=receipt.workflow_id)
    return await control.get_workflow(wanted)


async def _followed(
    control: Control,
    endings: Endings,
    clock: Clock,
    view: WorkflowView,
    tail: "_Tail",
    *,
    until_s: float,
) -> WorkflowView:
    """From how it was to its end, or to how it is then."""
    wanted = GetWorkflow(org_id=tail.org_id, workflow_id=view.workflow_id, explain=False)
    while view.status not in ENDED:
        left_s = until_s - clock.mono()
        if left_s <= 0 or endings.leaving:
            return await control.get_workflow(msgspec.structs.replace(wanted, explain=True))
        await told_within(tail.told, clock, left_s)
        found = tail.end_of(view)
        view = await control.get_workflow(wanted) if found is None else found
    return view


class _End(Struct):
    """What the event of an end says. A large result stands with the workflow alone."""

    result: msgspec.Raw = field(default_factory=msgspec.Raw)
    error: Flaw | None = None


_TOLD: Final = msgspec.json.Decoder(_End)


class _Tail:
    """What the bus told of one workflow's end, which was committed."""

    def __init__(self, org_id: UUID) -> None:
        self.org_id = org_id
        self._end: WorkflowEnded | None = None
        self.told = asyncio.Event()

    def deliver(self, end: WorkflowEnded | None) -> None:
        self._end = end or self._end
        self.told.set()

    def end_of(self, view: WorkflowView) -> WorkflowView | None:
        """The workflow at its end; None where its event does not say all of it."""
        if self._end is None:
            return None
        event = self._end.event
        told = _TOLD.decode(decode_payload(event.payload).data)
        result = bytes(told.result) or None
        if event.type == "workflow.completed" and result is None:
            return None
        return msgspec.structs.replace(
            view,
            status=_STATUS[event.type],
            result=result,
            flaw=told.error,
            waits=(),
            explanation="",
            version=self._end.version,
        )
