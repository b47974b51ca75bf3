"""Removing records of workflows, over the tables."""

from contextlib import AbstractContextManager
from uuid import UUID

from mainspring_engine.adapters.memory.tables import Tables
from mainspring_engine.ports.retention import Examined, Trim
from mainspring_kernel.clock import Clock
from mainspring_schema.workflows import INPUT_STEP, generation_of, prefix_of


class MemoryRetention:
    """`lock` and `tables` are the store's own."""

    def __init__(self, tables: Tables, lock: AbstractContextManager[object], clock: Clock) -> None:
        self._tables = tables
        self._lock = lock
        self._clock = clock

    async def examine(self, *, after: UUID, limit: int) -> tuple[Examined, ...]:
        with self._lock:
            mine = sorted(id_ for id_ in self._tables.starts if id_ > after)[:limit]
            now_ms = self._clock.wall_ms()
            rows = (self._tables.workflows[id_] for id_ in mine)
            return tuple(
                Examined(workflow_id=row.id, outcome=row.outcome, state=row.state, now_ms=now_ms)
                for row in rows
            )

    async def trim(self, trims: tuple[Trim, ...], *, limit: int) -> int:
        with self._lock:
            gone = [key for trim in trims for key in self._before(trim)]
            gone.sort(key=lambda key: not _is_input(key[1]))
            for key in gone[:limit]:
                del self._tables.steps[key]
            return len(gone[:limit])

    def _before(self, trim: Trim) -> list[tuple[UUID, str]]:
        return [
            (owner, place)
            for (owner, place), row in self._tables.steps.items()
            if owner == trim.workflow_id and row.checkpoint and place < trim.bound
        ]


def _is_input(place: str) -> bool:
    return place == prefix_of(generation_of(place)) + INPUT_STEP
