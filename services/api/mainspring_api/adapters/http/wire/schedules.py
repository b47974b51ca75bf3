"""Schedules and what came of them, on the wire. A slot is called an execution here."""

from typing import Annotated, Literal, TypeVar, cast

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from mainspring_api.adapters.http.wire.conversation import (
    ControlsBody,
    MessageBody,
    MessageInput,
    checked_content,
)
from mainspring_api.adapters.http.wire.resources import (
    Description,
    Id,
    SessionBody,
    id_or_none,
    time_or_none,
)
from mainspring_api.adapters.http.wire.workflows import Name as WorkflowName
from mainspring_api.domain import limits as bounds
from mainspring_kernel import limits
from mainspring_kernel.errors import PayloadTooLarge, ValidationFailed
from mainspring_kernel.ids import Prefix, from_wire, to_wire
from mainspring_kernel.times import rfc3339
from mainspring_schema.limits import (
    CATCH_UP_S_MAX,
    CATCH_UP_S_MIN,
    CRON_CHARS_MAX,
    JITTER_S_MAX,
    SCHEDULE_INTERVAL_MS_MAX,
    SCHEDULE_INTERVAL_MS_MIN,
)
from mainspring_schema.messages import ExternalActor, Json
from mainspring_schema.schedules import (
    Cron,
    Interval,
    MessageTarget,
    Once,
    Overlap,
    ScheduleRecord,
    SlotCounts,
    SlotRecord,
    SlotStatus,
    Target,
    TargetKind,
    Timing,
    WorkflowTarget,
)

T = TypeVar("T")
Name = Annotated[str, Meta(min_length=1, max_length=limits.DISPLAY_NAME_CHARS_MAX)]
Expression = Annotated[str, Meta(min_length=1, max_length=CRON_CHARS_MAX)]
Zone = Annotated[str, Meta(min_length=1, max_length=bounds.NAME_CHARS_MAX)]
Seconds = Annotated[
    int,
    Meta(ge=SCHEDULE_INTERVAL_MS_MIN // 1000, le=SCHEDULE_INTERVAL_MS_MAX // 1000),
]
CatchUp = Annotated[int, Meta(ge=CATCH_UP_S_MIN, le=CATCH_UP_S_MAX)]
Jitter = Annotated[int, Meta(ge=0, le=JITTER_S_MAX)]


class MessageTargetBody(Struct, frozen=True, kw_only=True, tag="message"):
    """A message to the session with `session_id`, or to a new one per slot made as `session` says;
    without both to a new one of the default harness.
    """

    session_id: Id | None = None
    session: SessionBody | None = None
    message: MessageInput
    controls: ControlsBody | None = None
    metadata: Json | None = None
    external_actor: ExternalActor | None = None


class WorkflowTargetBody(Struct, frozen=True, kw_only=True, tag="workflow"):
    """A workflow by its type. `input` is an array of arguments, or an object of named ones."""

    workflow_type: WorkflowName
    input: list[object] | Json = []
    queue: WorkflowName = "default"


TargetBody = MessageTargetBody | WorkflowTargetBody


class SchedulePatch(Struct, frozen=True, kw_only=True):
    """Of `cron` (with `timezone`), `interval_seconds` and `at` at most one."""

    name: Name | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    cron: Expression | UnsetType | None = UNSET
    timezone: Zone | UnsetType = UNSET
    interval_seconds: Seconds | UnsetType | None = UNSET
    at: Annotated[str, Meta(max_length=bounds.NAME_CHARS_MAX)] | UnsetType | None = UNSET
    target: TargetBody | UnsetType = UNSET
    overlap: Overlap | UnsetType = UNSET
    catch_up_window_seconds: CatchUp | UnsetType = UNSET
    jitter_seconds: Jitter | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class ScheduleBody(SchedulePatch, frozen=True, kw_only=True):
    """Of `cron` (with `timezone`), `interval_seconds` and `at` exactly one.

    `at` is RFC 3339; without an offset it is wall time in `timezone`.
    """

    name: Name  # pyright: ignore[reportGeneralTypeIssues] -- required here, optional in a patch
    target: TargetBody  # pyright: ignore[reportGeneralTypeIssues] -- required here, optional in a patch


def timing_of(body: SchedulePatch, present: Timing | None) -> Timing | UnsetType:
    """UNSET where the body says nothing of it. Raises ValidationFailed."""
    zone = body.timezone if isinstance(body.timezone, str) else _zone_of(present)
    given: list[Timing] = []
    if isinstance(body.cron, str):
        given.append(Cron(expression=body.cron, timezone=zone))
    if isinstance(body.interval_seconds, int):
        given.append(Interval(every_ms=body.interval_seconds * 1000))
    if isinstance(body.at, str):
        given.append(Once(at=body.at, timezone=zone))
    if not given and isinstance(present, Cron) and present.timezone != zone:
        given.append(Cron(expression=present.expression, timezone=zone))
    if len(given) > 1 or (not given and present is None):
        msg = "give one of cron, interval_seconds and at"
        raise ValidationFailed(msg)
    return given[0] if given else UNSET


def _zone_of(timing: Timing | None) -> str:
    return timing.timezone if isinstance(timing, Cron | Once) else "UTC"


def target_of(body: TargetBody) -> Target:
    """Raises ValidationFailed, InvalidId."""
    if isinstance(body, WorkflowTargetBody):
        arguments = _encoded(body.input)
        if len(arguments) > limits.WORKFLOW_VALUE_BYTES_MAX:
            what = "target.input"
            raise PayloadTooLarge(what, limits.WORKFLOW_VALUE_BYTES_MAX)
        return WorkflowTarget(workflow_type=body.workflow_type, input=arguments, queue=body.queue)
    if body.session_id is not None and body.session is not None:
        msg = "give target.session_id or target.session, not both"
        raise ValidationFailed(msg)
    if body.message.role != "user":
        msg = "a schedule sends messages of role user"
        raise ValidationFailed(msg)
    message = MessageBody(
        message=body.message,
        controls=body.controls,
        metadata=body.metadata,
        external_actor=body.external_actor,
    )
    checked_content(message)
    session_id = body.session_id
    return MessageTarget(
        session_id=None if session_id is None else from_wire(Prefix.SESSION, session_id),
        session=_encoded(body.session or SessionBody()),
        message=_encoded(message),
    )


def _encoded(body: MessageBody | SessionBody | list[object] | Json) -> bytes:
    """Raises ValidationFailed for a number that could not be written again."""
    try:
        return msgspec.json.encode(body)
    except OverflowError as error:
        msg = "a number is out of range"
        raise ValidationFailed(msg) from error


def session_body(data: bytes) -> SessionBody:
    """Raises ValidationFailed for one that was taken in before a rule was made."""
    return _decoded(data, SessionBody)


def message_body(data: bytes) -> MessageBody:
    """Raises ValidationFailed for one that was taken in before a rule was made."""
    return _decoded(data, MessageBody)


def _decoded(data: bytes, type_: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=type_)
    except msgspec.ValidationError as error:
        raise ValidationFailed(str(error)) from error


# ── what goes out ───────────────────────────────────────────────────────────────────────────────


class ScheduleView(Struct, frozen=True, kw_only=True):
    """`next_trigger_at` is null while it is paused, and once nothing comes any more."""

    id: str
    name: str
    description: str | None
    cron: str | None
    timezone: str | None
    interval_seconds: int | None
    at: str | None
    target: TargetBody
    overlap: Overlap
    catch_up_window_seconds: int
    jitter_seconds: int
    enabled: bool
    next_trigger_at: str | None
    last_trigger_at: str | None
    created_at: str
    updated_at: str


def schedule_view(record: ScheduleRecord) -> ScheduleView:
    spec = record.spec
    when = spec.timing
    once_ms = when.at_ms if isinstance(when, Once) else None
    return ScheduleView(
        id=to_wire(Prefix.SCHEDULE, record.id),
        name=spec.name,
        description=spec.description,
        cron=when.expression if isinstance(when, Cron) else None,
        timezone=when.timezone if isinstance(when, Cron | Once) else None,
        interval_seconds=when.every_ms // 1000 if isinstance(when, Interval) else None,
        at=time_or_none(once_ms),
        target=_target_view(spec.target),
        overlap=spec.overlap,
        catch_up_window_seconds=spec.catch_up_s,
        jitter_seconds=spec.jitter_s,
        enabled=not record.paused,
        next_trigger_at=time_or_none(record.next_ms),
        last_trigger_at=time_or_none(record.last_ms),
        created_at=rfc3339(record.created_ms),
        updated_at=rfc3339(record.updated_ms),
    )


def _arguments(data: bytes) -> list[object] | Json:
    return cast("list[object] | Json", msgspec.json.decode(data))


def _target_view(target: Target) -> TargetBody:
    if isinstance(target, WorkflowTarget):
        return WorkflowTargetBody(
            workflow_type=target.workflow_type,
            input=_arguments(target.input),
            queue=target.queue,
        )
    message = message_body(target.message)
    fixed = target.session_id
    return MessageTargetBody(
        session_id=None if fixed is None else to_wire(Prefix.SESSION, fixed),
        session=session_body(target.session) if fixed is None else None,
        message=message.message,
        controls=message.controls,
        metadata=message.metadata,
        external_actor=message.external_actor,
    )


class ErrorView(Struct, frozen=True, kw_only=True):
    code: str
    message: str | None


class SlotView(Struct, frozen=True, kw_only=True):
    """One slot: `scheduled_at` is what the timing says, `started_at` when its target took it."""

    id: str
    schedule_id: str
    scheduled_at: str
    triggered_by: Literal["schedule", "manual"]
    status: SlotStatus
    attempts: int
    error: ErrorView | None
    session_id: str | None
    message_id: str | None
    turn_id: str | None
    workflow_id: str | None
    created_at: str
    started_at: str | None
    ended_at: str | None
    duration_ms: int | None


def slot_view(slot: SlotRecord) -> SlotView:
    took = (
        slot.ended_ms - slot.started_ms
        if slot.ended_ms is not None and slot.started_ms is not None
        else None
    )
    return SlotView(
        id=to_wire(Prefix.SLOT, slot.id),
        schedule_id=to_wire(Prefix.SCHEDULE, slot.schedule_id),
        scheduled_at=rfc3339(slot.slot_ms),
        triggered_by="manual" if slot.origin == "hand" else "schedule",
        status=slot.status,
        attempts=slot.attempts,
        error=None if slot.code is None else ErrorView(code=slot.code, message=slot.detail),
        session_id=id_or_none(Prefix.SESSION, slot.session_id),
        message_id=id_or_none(Prefix.MESSAGE, slot.message_id),
        turn_id=id_or_none(Prefix.TURN, slot.turn_id),
        workflow_id=id_or_none(Prefix.WORKFLOW, slot.workflow_id),
        created_at=rfc3339(slot.created_ms),
        started_at=time_or_none(slot.started_ms),
        ended_at=time_or_none(slot.ended_ms),
        duration_ms=took,
    )


class SchedulesQuery(Struct, frozen=True, kw_only=True):
    enabled: bool | None = None
    target_type: TargetKind | None = None
    offset: Annotated[int, Meta(ge=0, le=bounds.RESUME_OFFSET_MAX)] = 0
    limit: Annotated[int, Meta(ge=1)] = bounds.LIST_ROWS_DEFAULT


class ScheduleList(Struct, frozen=True, kw_only=True):
    data: tuple[ScheduleView, ...]
    total: int
    offset: int
    limit: int


class SlotsQuery(Struct, frozen=True, kw_only=True):
    status: SlotStatus | None = None
    offset: Annotated[int, Meta(ge=0, le=bounds.RESUME_OFFSET_MAX)] = 0
    limit: Annotated[int, Meta(ge=1)] = bounds.LIST_ROWS_DEFAULT


class SlotList(Struct, frozen=True, kw_only=True):
    data: tuple[SlotView, ...]
    total: int
    offset: int
    limit: int


class SlotStatsView(Struct, frozen=True, kw_only=True):
    """Over the newest executions that are kept."""

    total: int
    by_status: dict[str, int]
    mean_duration_ms: int | None


def stats_view(counts: SlotCounts) -> SlotStatsView:
    return SlotStatsView(
        total=sum(counts.by_status.values()),
        by_status=counts.by_status,
        mean_duration_ms=counts.mean_ms,
    )
