"""Waits for the end of a workflow without holding anything but a subscription."""

import asyncio

from mainspring_api.ports.control import Control
from mainspring_api.ports.feed import Feed
from mainspring_kernel.clock import Clock
from mainspring_kernel.ids import OrgId, SessionId
from mainspring_kernel.limits import RESULT_RECHECK_S
from mainspring_schema.stream import LogBatch
from mainspring_schema.workflows import GetWorkflow, WorkflowView

ENDED = frozenset({"completed", "failed", "cancelled"})
_ENDS = frozenset({"workflow.completed", "workflow.failed", "workflow.cancelled"})


async def ended(
    control: Control, feed: Feed, clock: Clock, command: GetWorkflow, *, wait_s: float
) -> WorkflowView:
    """The workflow once it has ended, or as it is after `wait_s`. Raises NotFound."""
    view = await control.get_workflow(command)
    if view.status in ENDED or wait_s <= 0:
        return view
    told = asyncio.Event()

    def deliver(batch: LogBatch) -> None:
        if any(event.type in _ENDS for event in batch.events):
            told.set()

    # A workflow is its own session.
    session_id = SessionId(command.workflow_id)
    subscription = await feed.subscribe(OrgId(command.org_id), session_id, deliver)
    try:
        deadline = clock.mono() + wait_s
        while True:
            # Asked after the subscription, for it may have ended before it; and again now and
            # then, for the copy may be lost.
            view = await control.get_workflow(command)
            left_s = deadline - clock.mono()
            if view.status in ENDED or left_s <= 0:
                return view
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
