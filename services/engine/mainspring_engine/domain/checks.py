"""What workers send, checked: what no honest worker sends is refused before it is used. Pure."""

import re
from typing import Final

import msgspec

from mainspring_engine.domain.limits import FRAME_PARTS_MAX, WORKER_SLOTS_MAX
from mainspring_kernel.declaration_limits import WAIT_MS_MAX
from mainspring_kernel.limits import (
    DISPLAY_NAME_CHARS_MAX,
    WORKFLOW_STEPS_PER_FRAME_MAX,
    WORKFLOW_TYPE_CHARS_MAX,
    WORKFLOW_VALUE_BYTES_MAX,
    WORKFLOW_WAITS_MAX,
)
from mainspring_kernel.plain_limits import PLAIN_RETRY_MS_MAX
from mainspring_schema.events import Usage
from mainspring_schema.frames import COUNT_MAX, Attach, Emit, FromWorker, HistoryWanted
from mainspring_schema.keys import flaw_in, flaw_of_name, flaw_of_start_bound
from mainspring_schema.tasks import (
    Judged,
    PlainResult,
    ReasonResult,
    TaskResult,
    ToolCall,
    ToolResult,
    WorkflowResult,
)
from mainspring_schema.workflows import PLACE, StepRecord, Wait

_JSON: Final[msgspec.json.Decoder[msgspec.Raw]] = msgspec.json.Decoder(msgspec.Raw)
COST_USD_MAX: Final = 1e6
"""Of one call: more than any costs, and far below where a budget's millionths leave 64 bits."""
_NOTHING: Final = Usage()
_NUMBERS_END: Final = 2**63
"""What the columns of attach numbers keep."""
PLACE_CHARS_MAX: Final = 256
"""Longer than any `PLACE`, and than what stands before one."""
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


def check_result(result: TaskResult) -> None:
    """Raises DecodeError for what no honest worker sends: it must not get into anybody's log."""
    match result:  # the most frequent kind first
        case PlainResult(result=value, retry_ms=retry_ms):
            check_value(value)
            if not 0 <= (retry_ms or 0) <= PLAIN_RETRY_MS_MAX:
                message = f"a wait of {retry_ms} ms"
                raise msgspec.ValidationError(message)
        case ReasonResult():
            _check_calls(result.tool_calls)
            _check_used(result.usage, result.duration_ms, calls=result.helper_calls)
            _check_judged(result.judged)
        case ToolResult():
            _check_used(_NOTHING, result.duration_ms)
            _check_judged(result.judged)
        case WorkflowResult():
            check_value(result.result)
            check_steps(result.steps, result.waits)


def _check_calls(calls: tuple[ToolCall, ...]) -> None:
    """Where calls go is kept by name, for good."""
    for call in calls:
        name = call.capability_id or ""
        if not _fits_a_column(name, DISPLAY_NAME_CHARS_MAX):
            message = f"{name[:DISPLAY_NAME_CHARS_MAX]!r} is no capability"
            raise msgspec.ValidationError(message)
        if not 0 <= call.limit_s <= COUNT_MAX or not 0 <= call.expires_s <= COUNT_MAX:
            message = f"a call of {call.limit_s} s, or an appeal of {call.expires_s} s"
            raise msgspec.ValidationError(message)


def _check_judged(judged: Judged | None) -> None:
    if judged is not None:
        _check_used(judged.usage, judged.duration_ms, calls=judged.calls)


def _check_used(usage: Usage, duration_ms: int, *, calls: int = 0) -> None:
    """Budgets are charged with it, so it is a number, and never gives anything back."""
    counts = (
        usage.input_tokens, usage.output_tokens, usage.cache_read_tokens or 0,
        usage.cache_creation_tokens or 0, usage.reasoning_tokens or 0, duration_ms, calls,
    )  # fmt: skip
    cost_usd = usage.estimated_cost_usd or 0.0
    if min(counts) < 0 or max(counts) > COUNT_MAX or not 0 <= cost_usd <= COST_USD_MAX:
        message = (
            f"nobody uses less than nothing, or so much: {usage}, {calls} calls, {duration_ms} ms"
        )
        raise msgspec.ValidationError(message)


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


def check_attach(attach: Attach) -> None:
    """The same of how a worker presents itself."""
    texts = (attach.name, attach.build, *attach.queues, *attach.capabilities)
    strange = [text for text in texts if not _fits_a_column(text, DISPLAY_NAME_CHARS_MAX)]
    if strange:
        message = f"{strange[0][:DISPLAY_NAME_CHARS_MAX]!r} is no name, build, queue or capability"
        raise msgspec.ValidationError(message)
    if not 0 <= attach.slots <= WORKER_SLOTS_MAX or not 0 <= attach.attach_number < _NUMBERS_END:
        message = f"attach {attach.attach_number} with {attach.slots} slots"
        raise msgspec.ValidationError(message)


def check_frame(frame: FromWorker) -> None:
    """The same of how much it says at once."""
    parts = max(len(frame.results), len(frame.emits), len(frame.progress))
    beat = () if frame.beat is None else frame.beat.held
    of_slots = (frame.starts, frame.returned, beat, frame.configs_wanted, frame.histories_wanted)
    named = max(map(len, of_slots))
    if parts > FRAME_PARTS_MAX or named > WORKER_SLOTS_MAX:
        message = f"a frame with {parts} results, events or reports, or {named} tasks by name"
        raise msgspec.ValidationError(message)


def check_wanted(wanted: HistoryWanted) -> None:
    """The same of what it wants to read."""
    texts = (wanted.after, *wanted.places)
    fit = all(_fits_a_column(text, PLACE_CHARS_MAX) for text in texts)
    if not fit or len(texts) > WORKFLOW_WAITS_MAX + 1:
        message = "too many places of a history, or such as nothing has"
        raise msgspec.ValidationError(message)


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
        _check_order(step)
    for wait in waits:
        if not 0 <= (wait.delay_ms or 0) <= WAIT_MS_MAX:
            message = f"a wait of {wait.delay_ms} ms"
            raise msgspec.ValidationError(message)
        _check_child(wait)


def _check_order(step: StepRecord) -> None:
    """Whose turn it was; nobody but the code's own worker reads it."""
    places = len(step.after) <= WORKFLOW_WAITS_MAX and all(map(PLACE.fullmatch, step.after))
    if not (places and 0 <= step.nth < _NUMBERS_END):
        message = "a step's turn is none"
        raise msgspec.ValidationError(message)


def _check_child(wait: Wait) -> None:
    child = wait.child
    if (child is None) is (wait.kind in ("child", "detached")):
        message = f"the wait {wait.kind} is and has no child, or has one and is none"
        raise msgspec.ValidationError(message)
    if child is not None:
        check_value(child.input)
        flaw = (
            flaw_of_name("a child's type", child.type)
            or flaw_of_name("a child's queue", child.queue)
            or flaw_in(child.keys, child.circuit)
            or flaw_of_start_bound(child.start_within_ms)
        )
        if flaw is not None:
            raise msgspec.ValidationError(flaw)


def _fits_a_column(text: str, chars_max: int) -> bool:
    return len(text) <= chars_max and "\0" not in text


def check_value(raw: bytes) -> None:
    """Raises DecodeError for what is too long, nested too deeply, or no JSON."""
    if len(raw) > WORKFLOW_VALUE_BYTES_MAX:
        message = f"a value has {len(raw)} bytes, at most {WORKFLOW_VALUE_BYTES_MAX} are kept"
        raise msgspec.ValidationError(message)
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        raise msgspec.ValidationError(str(error)) from error
    try:
        _JSON.decode(raw)
    except RecursionError as error:
        message = "a value is nested too deeply"
        raise msgspec.ValidationError(message) from error
