"""What a worker is told of a workflow's recorded steps, and what it may record."""

import logging
import re
from typing import Final
from uuid import UUID

import msgspec

from mainspring_engine.ports.store import Store
from mainspring_engine.ports.workflows import RecordedPage
from mainspring_engine.usecases.links import Link
from mainspring_kernel.errors import Unavailable
from mainspring_kernel.limits import (
    WORKFLOW_STEPS_PER_FRAME_MAX,
    WORKFLOW_TYPE_CHARS_MAX,
    WORKFLOW_VALUE_BYTES_MAX,
    WORKFLOW_WAITS_MAX,
)
from mainspring_kernel.plain_limits import PLAIN_RETRY_MS_MAX
from mainspring_schema.frames import History, HistoryWanted
from mainspring_schema.keys import flaw_in
from mainspring_schema.tasks import PlainResult, TaskResult, WorkflowResult
from mainspring_schema.workflows import PLACE, StepRecord, Wait

_log = logging.getLogger(__name__)
_STEP: Final = msgspec.msgpack.Decoder(StepRecord)
_JSON: Final[msgspec.json.Decoder[msgspec.Raw]] = msgspec.json.Decoder(msgspec.Raw)
NAME: Final = re.compile(rf"[A-Za-z0-9_.:/-]{{1,{WORKFLOW_TYPE_CHARS_MAX}}}")
"""Of a type, a queue, a signal."""


class Histories:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def send(self, link: Link, wanted: HistoryWanted) -> None:
        """One page to who holds the workflow. While the store is away nothing comes: ask again."""
        task = link.given(wanted.held)
        if task is None:
            return
        try:
            page = await self._page(task.workflow_id, wanted)
        except Unavailable as error:
            _log.warning("a history waits: %s", error)
            return
        link.outbox.history(
            History(
                held=wanted.held,
                steps=tuple(_STEP.decode(body) for body in page.bodies),
                after=wanted.after,
                more=page.more,
                at_places=bool(wanted.places),
            )
        )

    async def _page(self, workflow_id: UUID, wanted: HistoryWanted) -> RecordedPage:
        rows = self._store.workflows
        if wanted.places:
            return await rows.recorded_at(workflow_id, wanted.places)
        return await rows.recorded(workflow_id, after=wanted.after)


def check_result(result: TaskResult) -> None:
    """Raises DecodeError for what no honest worker sends: it must not get into anybody's log."""
    match result:
        case WorkflowResult():
            check_value(result.result)
            check_steps(result.steps, result.waits)
        case PlainResult(result=value, retry_ms=retry_ms):
            check_value(value)
            if not 0 <= (retry_ms or 0) <= PLAIN_RETRY_MS_MAX:
                message = f"a wait of {retry_ms} ms"
                raise msgspec.ValidationError(message)
        case _:
            pass


def check_steps(steps: tuple[StepRecord, ...], waits: tuple[Wait, ...]) -> None:
    """The same of steps and waits."""
    if len(steps) > WORKFLOW_STEPS_PER_FRAME_MAX or len(waits) > WORKFLOW_WAITS_MAX:
        message = "too many steps or waits"
        raise msgspec.ValidationError(message)
    for item in (*steps, *waits):
        if len(item.name) > WORKFLOW_TYPE_CHARS_MAX or PLACE.fullmatch(item.step) is None:
            message = "a step's name is too long, or its place is none"
            raise msgspec.ValidationError(message)
    for step in steps:
        check_value(step.result)
    for wait in waits:
        _check_child(wait)


def _check_child(wait: Wait) -> None:
    child = wait.child
    if (child is None) is (wait.kind in ("child", "detached")):
        message = f"the wait {wait.kind} is and has no child, or has one and is none"
        raise msgspec.ValidationError(message)
    if child is not None:
        check_value(child.input)
        for name in (child.type, child.queue):
            if NAME.fullmatch(name) is None:
                message = "a child's type or queue is no name"
                raise msgspec.ValidationError(message)
        flaw = flaw_in(child.keys, child.circuit)
        if flaw is not None:
            raise msgspec.ValidationError(flaw)


def check_value(raw: bytes) -> None:
    """Raises DecodeError for what is too long, or no JSON."""
    if len(raw) > WORKFLOW_VALUE_BYTES_MAX:
        message = f"a value has {len(raw)} bytes, at most {WORKFLOW_VALUE_BYTES_MAX} are kept"
        raise msgspec.ValidationError(message)
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        raise msgspec.ValidationError(str(error)) from error
    _JSON.decode(raw)
