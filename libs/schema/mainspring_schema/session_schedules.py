"""Schedules that an agent makes for its own session: messages to itself, later."""

from msgspec import Struct

from mainspring_schema.asking import Order, Question
from mainspring_schema.schedules import Timing


class SessionSchedule(Struct, frozen=True, kw_only=True):
    """`id` as on the wire. `next_ms` is None once nothing comes any more, or while it is paused."""

    id: str
    message: str
    timing: Timing
    next_ms: int | None = None


class SessionSchedules(Struct, frozen=True, kw_only=True):
    """Newest first."""

    schedules: tuple[SessionSchedule, ...]


class Cancelled(Struct, frozen=True, kw_only=True):
    """Whether it was there, and this session's."""

    cancelled: bool


class ListSessionSchedules(
    Question[SessionSchedules], frozen=True, kw_only=True, tag="list_session_schedules"
):
    """Those of the session whose task is held, as far as something still comes of them."""


class MakeSchedule(Order[SessionSchedule], frozen=True, kw_only=True, tag="make_schedule"):
    """Sends `message` to the session at each time.

    Raises ValidationFailed for a timing that cannot be read, Conflict where the session has too
    many, TooManyRequests where its organization has.
    """

    message: str
    timing: Timing


class CancelSchedule(Order[Cancelled], frozen=True, kw_only=True, tag="cancel_schedule"):
    """Nothing more comes of it; what it has begun goes on."""

    id: str
