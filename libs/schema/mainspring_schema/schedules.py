"""Schedules and their slots, as api and scheduler speak of them.

Carried as MessagePack inside the scheduler proto; a `Spec` is also what the scheduler keeps.
"""

from typing import Literal
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

# ── what a schedule says ────────────────────────────────────────────────────────────────────────


class Cron(Struct, frozen=True, kw_only=True, tag="cron"):
    """Five fields, or six with seconds first, in the wall time of an IANA zone."""

    expression: str
    timezone: str = "UTC"


class Interval(Struct, frozen=True, kw_only=True, tag="interval"):
    """Every so long since the anchor, whatever clocks on walls do.

    `anchor_ms` is None until the scheduler has set it to when the schedule was made.
    """

    every_ms: int
    anchor_ms: int | None = None


class Once(Struct, frozen=True, kw_only=True, tag="once"):
    """One slot: `at` is RFC 3339, where it has no offset in the wall time of the zone.

    `at_ms` is None until the scheduler has read it.
    """

    at: str
    timezone: str = "UTC"
    at_ms: int | None = None


Timing = Cron | Interval | Once
Overlap = Literal["skip", "buffer_one", "allow_all", "cancel_other"]
"""What becomes of a slot that is due while an earlier one of its schedule is still at work."""


class MessageTarget(Struct, frozen=True, kw_only=True, tag="message"):
    """A message to a session: to `session_id`, or to a new one per slot, made as `session` says.

    `session` and `message` are bodies as they came through api's door; nobody else reads them.
    """

    session_id: UUID | None = None
    session: bytes = b"{}"
    message: bytes


class WorkflowTarget(Struct, frozen=True, kw_only=True, tag="workflow"):
    """A workflow by its type. `input` is JSON: an array of arguments, or an object of them."""

    workflow_type: str
    input: bytes = b"[]"
    queue: str = "default"


Target = MessageTarget | WorkflowTarget
TargetKind = Literal["message", "workflow"]


class Spec(Struct, frozen=True, kw_only=True):
    """All that people say of a schedule.

    A slot that nobody saw within `catch_up_s` after it was due is missed. `jitter_s` is the most
    that a slot is put off, drawn anew for each.
    """

    name: str
    description: str | None = None
    timing: Timing
    target: Target
    overlap: Overlap = "skip"
    catch_up_s: int = 3600
    jitter_s: int = 0


# ── what api asks ───────────────────────────────────────────────────────────────────────────────


class CreateSchedule(Struct, frozen=True, kw_only=True):
    """The id is chosen before the call, so that a call repeated finds what the first one made."""

    org_id: UUID
    id: UUID
    spec: Spec
    paused: bool = False


class ChangeSchedule(Struct, frozen=True, kw_only=True):
    """What is left unset stays as it is."""

    org_id: UUID
    id: UUID
    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    timing: Timing | UnsetType = UNSET
    target: Target | UnsetType = UNSET
    overlap: Overlap | UnsetType = UNSET
    catch_up_s: int | UnsetType = UNSET
    jitter_s: int | UnsetType = UNSET
    paused: bool | UnsetType = UNSET


class OneSchedule(Struct, frozen=True, kw_only=True):
    """Names a schedule: to get it, to delete it, to count its slots."""

    org_id: UUID
    id: UUID


class ListSchedules(Struct, frozen=True, kw_only=True):
    org_id: UUID
    paused: bool | None = None
    target: TargetKind | None = None
    offset: int = 0
    limit: int


class TriggerSchedule(Struct, frozen=True, kw_only=True):
    """A slot by hand, now. `slot_id` is chosen before the call, as in CreateSchedule."""

    org_id: UUID
    id: UUID
    slot_id: UUID


SlotStatus = Literal[
    "waiting",
    "buffered",
    "starting",
    "running",
    "completed",
    "failed",
    "cancelled",
    "needs_attention",
    "skipped",
    "missed",
]
"""`buffered` waits for an earlier slot; `running` and what follows is what its target does."""
SlotOrigin = Literal["time", "hand"]


class ListSlots(Struct, frozen=True, kw_only=True):
    """Newest first."""

    org_id: UUID
    schedule_id: UUID
    status: SlotStatus | None = None
    offset: int = 0
    limit: int


class OneSlot(Struct, frozen=True, kw_only=True):
    org_id: UUID
    id: UUID


class SchedulesOfSessions(Struct, frozen=True, kw_only=True):
    """How many schedules write to each of these sessions."""

    org_id: UUID
    session_ids: tuple[UUID, ...]


# ── what api is told ────────────────────────────────────────────────────────────────────────────


class ScheduleRecord(Struct, frozen=True, kw_only=True):
    """`next_ms` is the next slot, `last_ms` the newest one that fell due; None where none is."""

    org_id: UUID
    id: UUID
    spec: Spec
    paused: bool
    next_ms: int | None = None
    last_ms: int | None = None
    created_ms: int
    updated_ms: int


class SlotRecord(Struct, frozen=True, kw_only=True):
    """One firing of a schedule, or one that was skipped or missed.

    `code` and `detail` say why it ended as it did. Which ids are there depends on the target.
    """

    org_id: UUID
    id: UUID
    schedule_id: UUID
    slot_ms: int
    origin: SlotOrigin = "time"
    status: SlotStatus
    attempts: int = 0
    code: str | None = None
    detail: str | None = None
    session_id: UUID | None = None
    message_id: UUID | None = None
    turn_id: UUID | None = None
    workflow_id: UUID | None = None
    created_ms: int
    started_ms: int | None = None
    ended_ms: int | None = None


class SchedulePage(Struct, frozen=True, kw_only=True):
    schedules: tuple[ScheduleRecord, ...]
    total: int


class SlotPage(Struct, frozen=True, kw_only=True):
    slots: tuple[SlotRecord, ...]
    total: int


class SlotCounts(Struct, frozen=True, kw_only=True):
    """Of the newest slots, how many have which status, and how long the ended ones took."""

    by_status: dict[str, int]
    mean_ms: int | None = None


class SessionCounts(Struct, frozen=True, kw_only=True):
    """Schedules of which a slot still comes, by session; one that is not there has none."""

    active: dict[UUID, int]
