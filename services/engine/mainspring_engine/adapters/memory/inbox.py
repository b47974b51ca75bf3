"""Messages by their ids."""

from contextlib import AbstractContextManager
from uuid import UUID

from mainspring_engine.adapters.memory.judging import known_message
from mainspring_engine.adapters.memory.tables import InboxEntry, Tables
from mainspring_engine.domain.rows import NOBODY
from mainspring_engine.ports.inbox import Known
from mainspring_schema.delivery import Delivery


class MemoryInbox:
    """Twin of PostgresInbox."""

    def __init__(self, tables: Tables, lock: AbstractContextManager[object, bool | None]) -> None:
        self._tables = tables
        self._lock = lock

    async def delivery(self, org_id: UUID, session_id: UUID, message_id: UUID) -> Delivery | None:
        with self._lock:
            entries = self._entries(org_id, session_id)
            entry = entries.get(message_id)
            if entry is None:
                return None
            if entry.workflow_id is None:
                return next(d for d in _waiting(entries) if d.message_id == message_id)
            return _delivery(entry)

    async def waiting(self, org_id: UUID, session_id: UUID) -> tuple[Delivery, ...]:
        with self._lock:
            return _waiting(self._entries(org_id, session_id))

    async def known(self, session_id: UUID, message_id: UUID, key: str | None) -> Known | None:
        with self._lock:
            return known_message(self._tables, session_id, message_id, key)

    def _entries(self, org_id: UUID, session_id: UUID) -> dict[UUID, InboxEntry]:
        newest = self._tables.newest.get(session_id)
        if newest is None or self._tables.workflows[newest].org_id != org_id:
            return {}
        return self._tables.inbox.get(session_id, {})


def _waiting(entries: dict[UUID, InboxEntry]) -> tuple[Delivery, ...]:
    rows = sorted((e for e in entries.values() if e.workflow_id is None), key=InboxEntry.stands)
    return tuple(_delivery(row, place) for place, row in enumerate(rows, 1))


def _delivery(entry: InboxEntry, place: int | None = None) -> Delivery:
    gone = entry.workflow_id == NOBODY
    return Delivery(
        message_id=entry.message_id,
        mode=entry.mode,
        state="waiting" if entry.workflow_id is None else "withdrawn" if gone else "consumed",
        seq=entry.seq,
        accepted_ms=entry.ts_ms,
        turn_id=None if gone else entry.workflow_id,
        place=place,
    )
