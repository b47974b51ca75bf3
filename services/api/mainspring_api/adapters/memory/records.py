"""Records in memory: as they are, as they were, and as a fork has them from another owner."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

import msgspec

from mainspring_api.adapters.memory.rows import PastRecord, RecordId, Rows, began_as
from mainspring_api.domain.records import Record
from mainspring_kernel.clock import Clock
from mainspring_kernel.errors import MainspringError, NameTaken
from mainspring_kernel.ids import OrgId

T = TypeVar("T", bound=Record)


class MemoryRecords:
    def __init__(self, rows: Rows, org_id: OrgId, clock: Clock) -> None:
        self._rows = rows
        self._org_id = org_id
        self._clock = clock

    async def record(self, type_: type[T], id_: UUID, *, lock: bool = False) -> T | None:
        del lock  # transactions run one after the other
        found = self._rows.records.get(RecordId(self._org_id, type_.kind, id_))
        return found if isinstance(found, type_) else None

    async def records_named(self, type_: type[T], ids: Sequence[UUID]) -> Sequence[T]:
        found = [await self.record(type_, id_) for id_ in set(ids)]
        return [one for one in found if one is not None]

    async def record_keyed(self, type_: type[T], owner_id: UUID, key: str) -> T | None:
        owned = self._owned(type_, owner_id)
        return next((one for one in owned if key and one.key == key), None)

    async def records(
        self, type_: type[T], owner_id: UUID, *, offset: int = 0, limit: int
    ) -> Sequence[T]:
        owned = self._owned(type_, owner_id)
        owned.sort(key=lambda one: (one.created_ms, one.id), reverse=True)
        return owned[offset : offset + limit]

    async def records_before(
        self, type_: type[T], owner_id: UUID, before: tuple[int, UUID], *, limit: int
    ) -> Sequence[T]:
        owned = await self.records(type_, owner_id, limit=len(self._rows.records))
        return [one for one in owned if (one.created_ms, one.id) < before][:limit]

    async def records_after(self, type_: type[T], after: UUID, *, limit: int) -> Sequence[T]:
        found = [
            one
            for id_, one in self._rows.records.items()
            if id_.org_id == self._org_id and isinstance(one, type_) and one.id > after
        ]
        return sorted(found, key=lambda one: one.id)[:limit]

    async def count_records(self, type_: type[T], owner_id: UUID) -> int:
        return len(self._owned(type_, owner_id))

    async def put_record(self, record: Record) -> None:
        if record.org_id != self._org_id:
            # What the row-level policies do in Postgres.
            message = "a row of another organization"
            raise MainspringError(message)
        if record.by_time:
            await self.own_records(record.owner_id)
        other = await self.record_keyed(type(record), record.owner_id, record.key)
        if other is not None and other.id != record.id:
            msg = f"{record.key!r} is taken"
            raise NameTaken(msg)
        key = RecordId(self._org_id, record.kind, record.id)
        self._keep_past_of(key)
        self._rows.records[key] = record
        if record.by_time:
            self._rows.record_changed[key] = self._clock.wall_ms()

    async def fork_records(self, owner_id: UUID, parent_id: UUID, *, as_of_ms: int | None) -> None:
        moment = self._clock.wall_ms() + 1 if as_of_ms is None else as_of_ms
        self._rows.record_forks[self._org_id, owner_id] = (parent_id, moment)

    async def own_records(self, owner_id: UUID) -> None:
        if (self._org_id, owner_id) not in self._rows.record_forks:
            return
        for one in self._inherited(owner_id):
            self._rows.records[RecordId(self._org_id, one.kind, one.id)] = one
        del self._rows.record_forks[self._org_id, owner_id]

    async def drop_owned(self, owner_id: UUID) -> None:
        for (_, fork), (parent, _) in list(self._rows.record_forks.items()):
            if parent == owner_id:
                await self.own_records(fork)
        records = self._rows.records
        for id_ in [k for k, one in records.items() if one.owner_id == owner_id]:
            if id_.org_id == self._org_id:
                del records[id_]
                self._rows.record_changed.pop(id_, None)
        self._rows.record_past.pop((self._org_id, owner_id), None)
        self._rows.record_forks.pop((self._org_id, owner_id), None)

    async def drop_record(self, type_: type[Record], id_: UUID) -> bool:
        key = RecordId(self._org_id, type_.kind, id_)
        self._keep_past_of(key)
        self._rows.record_changed.pop(key, None)
        return self._rows.records.pop(key, None) is not None

    def _owned(self, type_: type[T], owner_id: UUID) -> list[T]:
        own = [
            one
            for id_, one in self._rows.records.items()
            if id_.org_id == self._org_id and isinstance(one, type_) and one.owner_id == owner_id
        ]
        if not type_.by_time:
            return own
        return [*own, *(one for one in self._inherited(owner_id) if isinstance(one, type_))]

    # ── the past ────────────────────────────────────────────────────────────────────────────────

    def _inherited(self, owner_id: UUID) -> list[Record]:
        """What a fork has from another owner, under ids of its own; none once it is its own."""
        source, as_of_ms = began_as(self._rows.record_forks, self._org_id, owner_id)
        if as_of_ms is None:
            return []
        then = [
            one
            for key, one in self._rows.records.items()
            if key.org_id == self._org_id
            and one.by_time
            and one.owner_id == source
            and self._rows.record_changed.get(key, 0) < as_of_ms
        ]
        then += [
            past.record
            for past in self._rows.record_past.get((self._org_id, source), ())
            if past.changed_ms < as_of_ms <= past.until_ms
        ]
        return [_of_fork(one, owner_id) for one in then]

    def _keep_past_of(self, key: RecordId) -> None:
        known = self._rows.records.get(key)
        if known is None or not known.by_time:
            return
        changed_ms = self._rows.record_changed.get(key, 0)
        past = PastRecord(known, changed_ms, self._clock.wall_ms())
        owner = (self._org_id, known.owner_id)
        self._rows.record_past[owner] = (*self._rows.record_past.get(owner, ()), past)


def _of_fork(record: Record, owner_id: UUID) -> Record:
    digest = hashlib.sha256(owner_id.bytes + record.id.bytes).digest()
    return msgspec.structs.replace(record, id=UUID(bytes=digest[:16]), owner_id=owner_id)
