"""Schedules that a session's own agent made."""

from typing import ClassVar

from mainspring_api.domain.records import Record


class OwnSchedule(Record, frozen=True, kw_only=True):
    """Says whose a schedule is; both have the same id. Its key is a digest of the call's."""

    kind: ClassVar[str] = "session_schedule"

    message: str
