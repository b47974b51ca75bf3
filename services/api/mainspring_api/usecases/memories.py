"""Memories and their files."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from mainspring_api.domain.limits import MEMORIES_MAX
from mainspring_api.domain.memories import Memory
from mainspring_api.domain.naming import matches
from mainspring_api.ports.store import Listed, Transaction
from mainspring_kernel.errors import NameTaken, NotFound, ValidationFailed
from mainspring_kernel.ids import OrgId, WorkspaceId
from mainspring_schema.messages import Json

UNFETCHED = "this server fetches no repositories: bring the files by the API"


class MemoryDraft(Struct, frozen=True, kw_only=True):
    name: str
    description: str | None = None
    source: Json | None = None


async def create(
    tx: Transaction, org_id: OrgId, id_: WorkspaceId, draft: MemoryDraft, *, now_ms: int
) -> Memory:
    """Raises NameTaken, ValidationFailed when there are too many."""
    if await tx.count_records(Memory, org_id) >= MEMORIES_MAX:
        msg = f"an organization has at most {MEMORIES_MAX} memories"
        raise ValidationFailed(msg)
    await _check_free(tx, org_id, draft.name)
    memory = Memory(
        org_id=org_id,
        id=id_,
        owner_id=org_id,
        key=draft.name,
        name=draft.name,
        description=draft.description,
        source=draft.source,
        created_ms=now_ms,
        updated_ms=now_ms,
    )
    await tx.put_record(memory)
    return memory


async def _check_free(tx: Transaction, org_id: OrgId, name: str) -> None:
    if await tx.record_keyed(Memory, org_id, name) is not None:
        msg = f"a memory named {name[:64]!r} exists"
        raise NameTaken(msg)


async def get(tx: Transaction, id_: WorkspaceId, *, lock: bool = False) -> Memory:
    """Raises NotFound."""
    memory = await tx.record(Memory, id_, lock=lock)
    if memory is None:
        msg = "no such memory"
        raise NotFound(msg)
    return memory


async def list_all(tx: Transaction, org_id: OrgId, listed: Listed) -> Sequence[Memory]:
    """Newest first."""
    return [
        memory
        for memory in await tx.records(Memory, org_id, limit=MEMORIES_MAX)
        if (memory.status == "active" or listed.include_archived)
        and matches(listed.tokens, memory.name, memory.description)
    ]


async def change(tx: Transaction, memory: Memory, draft: MemoryDraft, *, now_ms: int) -> Memory:
    """`memory` was read with its lock. Raises NameTaken."""
    if draft.name != memory.name and memory.status == "active":
        await _check_free(tx, memory.org_id, draft.name)
    changed = msgspec.structs.replace(
        memory,
        name=draft.name,
        key=draft.name if memory.status == "active" else "",
        description=draft.description,
        source=draft.source,
        updated_ms=now_ms,
    )
    await tx.put_record(changed)
    return changed


async def archive(tx: Transaction, id_: WorkspaceId, *, now_ms: int) -> None:
    """Its files stay; archiving an archived one changes nothing. Raises NotFound."""
    memory = await get(tx, id_, lock=True)
    if memory.status == "active":
        archived = msgspec.structs.replace(
            memory, status="archived", key="", archived_ms=now_ms, updated_ms=now_ms
        )
        await tx.put_record(archived)


async def sync(tx: Transaction, id_: WorkspaceId, *, now_ms: int) -> Memory:
    """A memory without source is what it is; one with a source says why it is not newer."""
    memory = await get(tx, id_, lock=True)
    if memory.source is None:
        return memory
    told = msgspec.structs.replace(memory, sync_error=UNFETCHED, updated_ms=now_ms)
    await tx.put_record(told)
    return told
