"""Plain tasks: what can happen to them, and what becomes of an attempt. Pure.

A plain task is its own workflow and session by id, and has neither head nor events.
"""

from typing import Final, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_engine.domain.changes import Claim
from mainspring_engine.domain.limits import (
    COMMIT_FLIGHT_BYTES_MAX,
    PLAIN_FAILURES_MAX,
    PLAIN_TASKS_PER_FLIGHT_MAX,
)
from mainspring_engine.domain.loss import POISON, why_set_aside
from mainspring_engine.domain.routes import Route, keys_under
from mainspring_engine.domain.rows import Closing, Effect, OpenTask, TaskKind
from mainspring_engine.domain.texts import code, cut, error
from mainspring_kernel.tracing import TraceContext
from mainspring_schema.codec import pack
from mainspring_schema.frames import Held
from mainspring_schema.plain import SubmitTask
from mainspring_schema.tasks import PlainResult
from mainspring_schema.tasks import PlainTask as Payload
from mainspring_schema.workflows import Flaw

STEP: Final = "task"
"""Under which a result is kept."""
START_BOUND: Final = "plain_start"
"""The kind of timer that a task has which is to be taken within a time."""
NOT_BEGUN: Final = Flaw(
    code="timeout.schedule_to_start", message="no worker took it in time", type="TimeoutError"
)
NOT_BEGUN_BODY: Final = pack(PlainResult(flaw=NOT_BEGUN, lasting=True))
"""What is kept of it then."""
EXHAUSTED: Final = "exhausted"
"""Why a dead letter is there whose task was tried as often as it wanted; `loss` has the others."""
LETTER_BYTES_MAX: Final = 1_000
"""Of what a letter says of itself; the whole flaw is the task's result."""
_NULL: Final = b"null"
_PAYLOAD: Final = msgspec.msgpack.Decoder(Payload)
_TRACE_KEY: Final = b"traceparent"
_TASK_WEIGHT_MIN: Final = COMMIT_FLIGHT_BYTES_MAX // PLAIN_TASKS_PER_FLIGHT_MAX


class NewPlain(NamedTuple):
    """A plain task to be inserted. A tuple: thousands of them are made in a second."""

    id: UUID
    org_id: UUID
    route: Route
    priority: int
    step: str
    payload: bytes
    claim: Claim | None = None
    traceparent: str = ""
    start_within_ms: int | None = None

    def claimed(self, claim: Claim | None) -> "NewPlain":
        """As `_replace`, which takes three times as long."""
        return NewPlain(
            self.id, self.org_id, self.route, self.priority, self.step, self.payload,
            claim, self.traceparent, self.start_within_ms,
        )  # fmt: skip

    @property
    def kind(self) -> TaskKind:
        return TaskKind.PLAIN

    @property
    def effect(self) -> Effect:
        return Effect.IDEMPOTENT


class PlainEnd(Struct, frozen=True, kw_only=True):
    """The end of an attempt, and of its task unless `delay_ms` is given.

    Compared under the lock: the fence, and that the lease has run out where `expired_only`. `body`
    is kept as the task's result; `reason` and `detail` leave a dead letter.
    """

    held: Held
    closing: Closing
    result_hash: bytes = b""
    error_code: str = ""
    error_message: str = ""
    body: bytes | None = None
    delay_ms: int | None = None
    counts_failure: bool = False
    counts_death: bool = False
    expired_only: bool = False
    reason: str | None = None
    detail: str | None = None


# ── what can happen ─────────────────────────────────────────────────────────────────────────────


class PlainSubmitted(Struct, frozen=True, kw_only=True):
    """All of one call; they ride one flight together."""

    tasks: tuple[NewPlain, ...]


class PlainAnswered(Struct, frozen=True, kw_only=True):
    """A worker brought the result of an attempt. `failures` counts the failed ones before it.

    `since_s` is when it was pushed, by the monotonic clock; it counts where there is a trace.
    """

    held: Held
    hash: bytes
    body: bytes
    result: PlainResult
    failures: int = 0
    traceparent: str = ""
    since_s: float = 0.0


class PlainDied(Struct, frozen=True, kw_only=True):
    """The last allowed attempt, claimed at `claimed_ms`, lost its worker."""

    task: OpenTask
    claimed_ms: int = 0


PlainIncident = PlainAnswered | PlainDied
PlainIntent = PlainSubmitted | PlainIncident


# ── what becomes of it ──────────────────────────────────────────────────────────────────────────


def route_for(command: SubmitTask) -> Route:
    """For whom it is, and what may hold it back."""
    keys = keys_under(command.keys, command.circuit)
    return route_of(command.queue, command.type, command.build, keys)


def made_of(command: SubmitTask, route: Route | None = None) -> NewPlain:
    """`route` is what `route_for` says of it, where that is known already."""
    route = route or route_for(command)
    trace = None if command.traceparent is None else TraceContext.parse(command.traceparent)
    traceparent = None if trace is None else trace.format()
    payload = Payload(
        task_type=command.type,
        input=command.input,
        queue=command.queue,
        priority=command.priority,
        source=command.source,
        traceparent=traceparent,
        build=command.build,
        keys=command.keys,
        circuit=command.circuit,
        start_within_ms=command.start_within_ms,
    )
    return NewPlain(
        id=command.task_id,
        org_id=command.org_id,
        route=route,
        priority=command.priority,
        step=route.capability,
        payload=pack(payload),
        traceparent=traceparent or "",
        start_within_ms=command.start_within_ms,
    )


def trace_of(payload: bytes) -> str:
    """The `traceparent` that a plain task was made with, "" for none."""
    # Nearly every task has none, and its payload is not read here: the key's bytes tell.
    if _TRACE_KEY not in payload:
        return ""
    made = _read(payload)
    return "" if made is None else made.traceparent or ""


def is_same(one: bytes, other: bytes) -> bool:
    """Whether two payloads ask for the same, whatever their traces."""
    return one == other or _without_trace(one) == _without_trace(other)


def takes_up(payload: bytes, task_id: UUID) -> bool:
    """Whether a plain task was made to do that one again."""
    made = _read(payload)
    return made is not None and made.source == task_id


def _without_trace(payload: bytes) -> Payload | bytes:
    made = _read(payload)
    return payload if made is None else msgspec.structs.replace(made, traceparent=None)


def _read(payload: bytes) -> Payload | None:
    """None for what a newer version made: its worker can read it, and it holds up no other one."""
    try:
        return _PAYLOAD.decode(payload)
    except msgspec.MsgspecError:
        return None


def route_of(queue: str, type_: str, build: str = "", keys: tuple[str, ...] = ()) -> Route:
    """Only workers that offer the type can claim it, with a build only those of that build."""
    return Route(queue=queue, capability=step_of(type_), build=build, keys=keys)


def step_of(type_: str) -> str:
    return f"task:{type_}"


def type_of(step: str) -> str:
    return step.removeprefix("task:")


def end_of(intent: PlainIncident) -> PlainEnd:
    return _answered(intent) if isinstance(intent, PlainAnswered) else _died(intent.task)


def _answered(intent: PlainAnswered) -> PlainEnd:
    result = intent.result
    if result.flaw is None:
        # Most tasks of a queue return nothing: their attempt says all there is.
        body = None if result.result == _NULL else intent.body
        return PlainEnd(
            held=intent.held, closing=Closing.RESULT, result_hash=intent.hash, body=body
        )
    again = result.retry_ms is not None and intent.failures + 1 < PLAIN_FAILURES_MAX
    # What fails for good would fail again: its caller has to know, and no operator can help.
    letter = not again and not result.lasting
    return PlainEnd(
        held=intent.held,
        closing=Closing.RETRIED if again else Closing.FAILED,
        result_hash=intent.hash,
        error_code=code(result.flaw.code),
        error_message=error(result.flaw.message),
        body=None if again else intent.body,
        delay_ms=result.retry_ms if again else None,
        counts_failure=True,
        reason=EXHAUSTED if letter else None,
        detail=_told(result.flaw, intent.failures + 1) if letter else None,
    )


def _told(flaw: Flaw, failures: int) -> str:
    attempts = "its only attempt" if failures == 1 else f"the last of {failures} attempts"
    return cut(f"{attempts} failed: {flaw.code}: {flaw.message}", LETTER_BYTES_MAX)


def _died(task: OpenTask) -> PlainEnd:
    flaw = why_set_aside(task)
    return PlainEnd(
        held=Held(task.id, task.fence),
        closing=Closing.QUARANTINED,
        error_code=flaw.code,
        body=pack(PlainResult(flaw=flaw)),
        counts_death=flaw.code == POISON,
        expired_only=True,
        reason=flaw.code,
        detail=flaw.message,
    )


def weight_of(intent: PlainIntent) -> int:
    """About how many bytes it will write."""
    match intent:
        case PlainSubmitted(tasks=tasks):
            # However small they are: a flight has its bound of tasks as well.
            return sum(max(len(task.payload), _TASK_WEIGHT_MIN) for task in tasks)
        case PlainAnswered(body=body):
            return len(body)
        case PlainDied():
            return 0
