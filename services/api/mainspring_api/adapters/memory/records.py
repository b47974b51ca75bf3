"""Records in memory."""

from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

from mainspring_api.adapters.memory.rows import RecordId, Rows
from mainspring_api.domain.records import Record
from mainspring_kernel.errors import MainspringError, NameTaken
from mainspring_kernel.ids import OrgId

T = TypeVar("T", bound=Record)


class MemoryRecords:
    def __init__(self, rows: Rows, org_id: OrgId) -> None:
        self._rows = rows
        self._org_id = org_id

    async def record(self, type_: type[T], id_: UUID, *, lock: bool = False) -> T | None:
        del lock  # transactions run one after the other
        found = self._rows.records.get(RecordId(self._org_id, type_.kind, id_))
        return found if isinstance(found, type_) else None

    async def record_keyed(self, type_: type[T], owner_id: UUID, key: str) -> T | None:
        owned = self._owned(type_, owner_id)
        return next((one for one in owned if key and one.key == key), None)

    async def records(
        self, type_: type[T], owner_id: UUID, *, offset: int = 0, limit: int
    ) -> Sequence[T]:
        owned = self._owned(type_, owner_id)
        owned.sort(key=lambda one: (one.created_ms, one.id), reverse=True)
        return owned[offset : offset + limit]

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
        other = await self.record_keyed(type(record), record.owner_id, record.key)
        if other is not None and other.id != record.id:
            msg = f"{record.key!r} is taken"
            raise NameTaken(msg)
        self._rows.records[RecordId(self._org_id, record.kind, record.id)] = record

    async def drop_owned(self, owner_id: UUID) -> None:
        records = self._rows.records
        for id_ in [k for k, one in records.items() if one.owner_id == owner_id]:
            if id_.org_id == self._org_id:
                del records[id_]

    async def drop_record(self, type_: type[Record], id_: UUID) -> bool:
        key = RecordId(self._org_id, type_.kind, id_)
        return self._rows.records.pop(key, None) is not None

    def _owned(self, type_: type[T], owner_id: UUID) -> list[T]:
        return [
            one
            for id_, one in self._rows.records.items()
            if id_.org_id == self._org_id and isinstance(one, type_) and one.owner_id == owner_id
        ]
