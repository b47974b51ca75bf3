"""Which of the things that somebody waits for have not ended."""

from typing import Final
from uuid import UUID

from msgspec import Struct

from mainspring_schema.asking import Question

OPEN_IDS_PER_QUESTION_MAX: Final = 1000
"""One read: some milliseconds of look-ups."""


class OpenWork(Struct, frozen=True, kw_only=True):
    """Ids of workflows that run, and of plain tasks that are open."""

    ids: tuple[UUID, ...]


class FindOpen(Question[OpenWork], frozen=True, kw_only=True, tag="find_open"):
    """Those among at most OPEN_IDS_PER_QUESTION_MAX ids, of workflows or plain tasks.

    With an organization its own alone.
    """

    ids: tuple[UUID, ...]
    org_id: UUID | None = None
