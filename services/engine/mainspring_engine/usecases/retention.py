"""Removes records of workflows that are no longer promised to anybody, some at each pass."""

from typing import Final, NamedTuple
from uuid import UUID

from mainspring_engine.domain.limits import (
    EXAMINED_PAGE,
    EXAMINED_PAGES_MAX,
    RECORDS_PER_PASS_MAX,
    RECORDS_PER_TRIM_MAX,
)
from mainspring_engine.domain.workflow.retention import Keep, needless
from mainspring_engine.domain.workflow.state import decode_state
from mainspring_engine.ports.retention import Examined, RetentionRows, Trim
from mainspring_kernel.errors import StateUnreadable

_FIRST: Final = UUID(int=0)


class Trimmed(NamedTuple):
    """`more`: a bound was reached before all workflows were looked at."""

    records: int
    more: bool


class Retention:
    """Goes through all workflows, round and round. Where it stands it forgets with its process."""

    def __init__(self, rows: RetentionRows, keep: Keep) -> None:
        self._rows = rows
        self._keep = keep
        self._after = _FIRST

    async def sweep(self) -> Trimmed:
        """Raises Unavailable. Where all is kept nothing is read."""
        removed = 0
        if self._keep.all:
            return Trimmed(removed, more=False)
        for _ in range(EXAMINED_PAGES_MAX):
            page = await self._rows.examine(after=self._after, limit=EXAMINED_PAGE)
            trims = tuple(trim for one in page if (trim := self._trim_of(one)) is not None)
            removed += await self._remove(trims, RECORDS_PER_PASS_MAX - removed)
            if removed >= RECORDS_PER_PASS_MAX:
                return Trimmed(removed, more=True)
            if len(page) < EXAMINED_PAGE:
                self._after = _FIRST
                return Trimmed(removed, more=False)
            self._after = page[-1].workflow_id
        return Trimmed(removed, more=True)

    async def _remove(self, trims: tuple[Trim, ...], room: int) -> int:
        """At most so many; how many."""
        removed = 0
        while trims and removed < room:
            limit = min(RECORDS_PER_TRIM_MAX, room - removed)
            gone = await self._rows.trim(trims, limit=limit)
            removed += gone
            if gone < limit:
                break
        return removed

    def _trim_of(self, one: Examined) -> Trim | None:
        try:
            state = decode_state(one.state)
        except StateUnreadable:
            return None  # it keeps what it has until an engine can read it
        bound = needless(state, one.outcome, self._keep, one.now_ms)
        return None if bound is None else Trim(workflow_id=one.workflow_id, bound=bound)
