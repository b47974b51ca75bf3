"""What callers see of a workflow: its start, and its end by waiting on a subscription."""

import asyncio
from typing import Final

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from mainspring_api.ports.control import Control
from mainspring_api.ports.feed import Feed
from mainspring_api.usecases.told import told_within
from mainspring_kernel.clock import Clock
from mainspring_kernel.ids import OrgId, SessionId
from mainspring_kernel.limits import RESULT_RECHECK_S
from mainspring_schema.declarations import hash_of, version_of
from mainspring_schema.events import StoredEvent, decode_payload
from mainspring_schema.stream import LogBatch
from mainspring_schema.workflows import GetWorkflow, StartWorkflow, WorkflowView, key_of

ENDED = frozenset({"completed", "failed", "cancelled"})
ENDS = frozenset({"workflow.completed", "workflow.failed", "workflow.cancelled"})


class _Said(Struct, frozen=True):
    """What `workflow.completed` says. A large result stands with its step alone."""

    result: msgspec.Raw = field(default_factory=msgspec.Raw)


_SAID: Final = msgspec.json.Decoder(_Said)


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
    quickly = replace(command, explain=False)
    news = _News()
    # A workflow is its own session.
    session_id = SessionId(command.workflow_id)
    subscription = await feed.subscribe(OrgId(command.org_id), session_id, news.deliver)
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
            await told_within(news.told, clock, min(left_s, RESULT_RECHECK_S))
            if (complete := news.completed(view)) is not None:
                return complete
    finally:
        await subscription.close()


class _News:
    """What the bus says of a workflow's end."""

    def __init__(self) -> None:
        self.told = asyncio.Event()
        self._last: StoredEvent | None = None

    def deliver(self, batch: LogBatch) -> None:
        for event in batch.events:
            if event.type in ENDS:
                self._last = event
                self.told.set()

    def completed(self, view: WorkflowView) -> WorkflowView | None:
        return None if self._last is None else completed(view, self._last)


def completed(view: WorkflowView, last: StoredEvent) -> WorkflowView | None:
    """The workflow by its last event, so that nobody need be asked again.

    None where the event does not say all: the engine does.
    """
    if last.type != "workflow.completed":
        return None
    said = _SAID.decode(decode_payload(last.payload).data)
    if not bytes(said.result):
        return None
    return replace(view, status="completed", result=bytes(said.result), waits=(), explanation="")
