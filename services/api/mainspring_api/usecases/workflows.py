"""What callers see of a workflow: its start, and its end by waiting on a subscription."""

import asyncio

import msgspec

from mainspring_api.ports.control import Control
from mainspring_api.ports.feed import Feed
from mainspring_kernel.clock import Clock
from mainspring_kernel.ids import OrgId, SessionId
from mainspring_kernel.limits import RESULT_RECHECK_S
from mainspring_schema.declarations import hash_of, version_of
from mainspring_schema.stream import LogBatch
from mainspring_schema.workflows import GetWorkflow, StartWorkflow, WorkflowView, key_of

ENDED = frozenset({"completed", "failed", "cancelled"})
ENDS = frozenset({"workflow.completed", "workflow.failed", "workflow.cancelled"})


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


async def ended(
    control: Control, feed: Feed, clock: Clock, command: GetWorkflow, *, wait_s: float
) -> WorkflowView:
    """The workflow once it has ended, or as it is after `wait_s`. Raises NotFound."""
    if wait_s <= 0:
        return await control.get_workflow(command)
    quickly = msgspec.structs.replace(command, explain=False)
    told = asyncio.Event()

    def deliver(batch: LogBatch) -> None:
        if any(event.type in ENDS for event in batch.events):
            told.set()

    # A workflow is its own session.
    session_id = SessionId(command.workflow_id)
    subscription = await feed.subscribe(OrgId(command.org_id), session_id, deliver)
    try:
        deadline = clock.mono() + wait_s
        while True:
            # Asked after the subscription, for it may have ended before it; and again now and
            # then, for the copy may be lost.
            view = await control.get_workflow(quickly)
            left_s = deadline - clock.mono()
            if view.status in ENDED:
                return view
            if left_s <= 0:
                return await control.get_workflow(command)
            await _told_within(told, clock, min(left_s, RESULT_RECHECK_S))
    finally:
        await subscription.close()


async def _told_within(told: asyncio.Event, clock: Clock, seconds: float) -> None:
    waiting = asyncio.ensure_future(told.wait())
    sleeping = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait((waiting, sleeping), return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        sleeping.cancel()
