"""Records in Postgres."""

from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_api.domain.records import Record
from mainspring_kernel.errors import NameTaken
from mainspring_kernel.ids import OrgId
from mainspring_postgres import Transaction, UniqueViolation, load_queries

T = TypeVar("T", bound=Record)
Q = load_queries("mainspring_api.adapters.postgres", "records.sql")


class RecordRow(Struct, frozen=True, kw_only=True):
    """Of what a fork has from another owner, `data` says whose it was."""

    id: UUID
    owner_id: UUID
    data: bytes


class PostgresRecords:
    """The row-level policies see to it that no other organization's records are met."""

    def __init__(self, tx: Transaction, org_id: OrgId) -> None:
        self._tx = tx
        self._org_id = org_id

    async def record(self, type_: type[T], id_: UUID, *, lock: bool = False) -> T | None:
        query = Q["lock_record_by_id" if lock else "record_by_id"]
        return read(type_, await self._tx.fetchrow_as(RecordRow, query, type_.kind, id_))

    async def records_named(self, type_: type[T], ids: Sequence[UUID]) -> Sequence[T]:
        rows = await self._tx.fetch_as(RecordRow, Q["records_by_id"], type_.kind, ids)
        return [_read(type_, row) for row in rows]

    async def record_keyed(self, type_: type[T], owner_id: UUID, key: str) -> T | None:
        query = Q["inherited_by_key" if type_.by_time else "record_by_key"]
        row = await self._tx.fetchrow_as(RecordRow, query, type_.kind, owner_id, key)
        return read(type_, row)

    async def records(
        self, type_: type[T], owner_id: UUID, *, offset: int = 0, limit: int
    ) -> Sequence[T]:
        query = Q["list_inherited" if type_.by_time else "list_records"]
        rows = await self._tx.fetch_as(RecordRow, query, type_.kind, owner_id, offset, limit)
        return [_read(type_, row) for row in rows]

    async def records_before(
        self, type_: type[T], owner_id: UUID, before: tuple[int, UUID], *, limit: int
    ) -> Sequence[T]:
        query = Q["list_records_before"]
        rows = await self._tx.fetch_as(RecordRow, query, type_.kind, owner_id, *before, limit)
        return [_read(type_, row) for row in rows]

    async def records_after(self, type_: type[T], after: UUID, *, limit: int) -> Sequence[T]:
        query = Q["list_records_of_kind"]
        rows = await self._tx.fetch_as(RecordRow, query, type_.kind, after, limit)
        return [_read(type_, row) for row in rows]

    async def count_records(self, type_: type[T], owner_id: UUID) -> int:
        query = Q["count_inherited" if type_.by_time else "count_records"]
        return await self._tx.fetchval_as(int, query, type_.kind, owner_id)

    async def fork_records(self, owner_id: UUID, parent_id: UUID, *, as_of_ms: int | None) -> None:
        values = (self._org_id, owner_id, parent_id, as_of_ms)
        await self._tx.execute(Q["fork_records"], *values)

    async def own_records(self, owner_id: UUID) -> None:
        await self._tx.execute(Q["own_records"], owner_id)

    async def put_record(self, record: Record) -> None:
        if record.by_time:
            await self.own_records(record.owner_id)
        try:
            await self._tx.execute(
                Q["put_record"],
                record.org_id,
                record.kind,
                record.id,
                record.owner_id,
                record.key,
                msgspec.json.encode(record),
                record.created_ms,
                record.updated_ms,
            )
        except UniqueViolation as error:
            detail = f"{record.key!r} is taken"
            raise NameTaken(detail) from error

    async def drop_owned(self, owner_id: UUID) -> None:
        await self._tx.execute(Q["drop_owned"], owner_id)

    async def drop_record(self, type_: type[Record], id_: UUID) -> bool:
        return await self._tx.execute(Q["drop_record"], type_.kind, id_) > 0


def read(type_: type[T], row: RecordRow | None) -> T | None:
    return None if row is None else _read(type_, row)


def _read(type_: type[T], row: RecordRow) -> T:
    found = msgspec.json.decode(row.data, type=type_)
    if not type_.by_time:
        return found
    return msgspec.structs.replace(found, id=row.id, owner_id=row.owner_id)
