"""What a worker is told of a workflow's recorded steps, and what it may record and say."""

import logging
import re
from typing import Final
from uuid import UUID

import msgspec

from mainspring_engine.ports.store import Store
from mainspring_engine.ports.workflows import RecordedPage
from mainspring_engine.usecases.links import Link
from mainspring_kernel.errors import Conflict, Unavailable
from mainspring_kernel.limits import (
    WORKFLOW_STEPS_PER_FRAME_MAX,
    WORKFLOW_TYPE_CHARS_MAX,
    WORKFLOW_VALUE_BYTES_MAX,
    WORKFLOW_WAITS_MAX,
)
from mainspring_kernel.plain_limits import PLAIN_RETRY_MS_MAX, START_WITHIN_MS_MAX
from mainspring_schema.frames import Emit, History, HistoryWanted
from mainspring_schema.keys import flaw_in
from mainspring_schema.tasks import PlainResult, TaskResult, WorkflowResult
from mainspring_schema.workflows import INPUT_STEP, PLACE, StepRecord, Wait, prefix_of

_log = logging.getLogger(__name__)
_STEP: Final = msgspec.msgpack.Decoder(StepRecord)
_JSON: Final[msgspec.json.Decoder[msgspec.Raw]] = msgspec.json.Decoder(msgspec.Raw)
NAME: Final = re.compile(rf"[A-Za-z0-9_.:/-]{{1,{WORKFLOW_TYPE_CHARS_MAX}}}")
"""Of a type, a queue, a signal."""
_EVENT: Final = re.compile(r"[a-z_]{1,32}(\.[a-z_]{1,32}){1,3}")
_OF_ENGINE: Final = (
    "act.", "approval.", "budget.", "input.", "message.", "question.", "session.", "step.",
    "stream.", "turn.", "workflow.",
)  # fmt: skip
_OF_ENGINE_TOO: Final = frozenset({
    "output.message.completed", "reason.completed", "reason.started", "reason.thinking.completed",
    "tool.call_requested", "tool.completed", "tool.started",
})  # fmt: skip
"""Events that tell what the engine decided: an attempt that says one would forge an outcome."""


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


async def input_of(store: Store, workflow_id: UUID, generation: int) -> bytes:
    """What the code of a generation began with.

    It goes first where records are removed. Raises Conflict where that was done.
    """
    place = prefix_of(generation) + INPUT_STEP
    found = (await store.workflows.recorded_at(workflow_id, (place,))).bodies
    if not found:
        detail = "its records were removed: they are kept only so long"
        raise Conflict(detail)
    return _STEP.decode(found[0]).result


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


def check_emit(emit: Emit) -> None:
    """The same of what an attempt says in its middle."""
    for event in emit.events:
        of_engine = event.type.startswith(_OF_ENGINE) or event.type in _OF_ENGINE_TOO
        if of_engine or _EVENT.fullmatch(event.type) is None:
            message = (
                f"{event.type[:WORKFLOW_TYPE_CHARS_MAX]!r} is no event that an attempt may say"
            )
            raise msgspec.ValidationError(message)
    check_steps(emit.steps, emit.waits)


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
        within_ms = child.start_within_ms
        if within_ms is not None and not 0 < within_ms <= START_WITHIN_MS_MAX:
            message = "the time until a child is taken is over its bound"
            raise msgspec.ValidationError(message)


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
