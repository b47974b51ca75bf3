"""/memories and the files in them"""

import hashlib
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from mainspring_api.adapters.http.routes.workspaces import (
    FILE_BODY_BYTES_MAX,
    StatBody,
    TreeQuery,
    WorkspacesQuery,
    file_reply,
)
from mainspring_api.adapters.http.routing import (
    Call,
    NoBody,
    NoQuery,
    Reply,
    RouteTable,
    json_answer,
    json_reply,
    reply_of,
)
from mainspring_api.adapters.http.wire.resources import (
    Description,
    FileWrite,
    encoded,
    time_or_none,
)
from mainspring_api.adapters.http.wire.tiers import kept
from mainspring_api.domain.memories import Memory
from mainspring_api.domain.naming import tokens
from mainspring_api.domain.resources import File, Status
from mainspring_api.ports.store import Listed, Transaction
from mainspring_api.usecases import files, memories
from mainspring_api.usecases.memories import MemoryDraft
from mainspring_api.usecases.once import Answer, once
from mainspring_kernel import limits
from mainspring_kernel.errors import NotFound
from mainspring_kernel.ids import Prefix, WorkspaceId, from_wire, to_wire
from mainspring_kernel.times import rfc3339
from mainspring_schema.messages import Json

table = RouteTable("memories")
_ONE = "/memories/{memory_id:str}"
_FS = f"{_ONE}/fs"
_FILE = f"{_FS}/{{path:path}}"
MemoryName = Annotated[str, Meta(min_length=1, max_length=limits.DISPLAY_NAME_CHARS_MAX)]


class MemoryPatch(Struct, frozen=True, kw_only=True):
    name: MemoryName | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    source: Json | UnsetType | None = UNSET


class MemoryBody(MemoryPatch, frozen=True, kw_only=True):
    name: MemoryName  # pyright: ignore[reportGeneralTypeIssues] -- required here, optional in a patch


class MemoryView(Struct, frozen=True, kw_only=True):
    """`sync_status` is `idle` for files that come by the API."""

    id: str
    name: str
    description: str | None
    source: Json
    source_type: str
    is_readonly: bool
    sync_status: str
    last_sync_error: str | None
    status: Status
    created_at: str
    updated_at: str
    archived_at: str | None


class MemoryList(Struct, frozen=True, kw_only=True):
    data: tuple[MemoryView, ...]


class MemoryFileInfo(Struct, frozen=True, kw_only=True):
    path: str
    is_directory: bool
    size_bytes: int
    created_at: str
    updated_at: str


class MemoryFileList(Struct, frozen=True, kw_only=True):
    data: tuple[MemoryFileInfo, ...]


class MemoryFile(Struct, frozen=True, kw_only=True):
    path: str
    content: str
    encoding: str
    content_hash: str
    size_bytes: int
    created_at: str
    updated_at: str


def memory_view(memory: Memory) -> MemoryView:
    return MemoryView(
        id=to_wire(Prefix.MEMORY, memory.id),
        name=memory.name,
        description=memory.description,
        source=memory.source or {},
        source_type=memory.source_type,
        is_readonly=False,
        sync_status="failed" if memory.sync_error else "idle",
        last_sync_error=memory.sync_error,
        status=memory.status,
        created_at=rfc3339(memory.created_ms),
        updated_at=rfc3339(memory.updated_ms),
        archived_at=time_or_none(memory.archived_ms),
    )


def file_info(file: File) -> MemoryFileInfo:
    return MemoryFileInfo(
        path=file.path,
        is_directory=file.is_directory,
        size_bytes=file.size_bytes,
        created_at=rfc3339(file.created_ms),
        updated_at=rfc3339(file.updated_ms),
    )


def file_whole(file: File) -> MemoryFile:
    content, encoding = encoded(file.content or b"")
    return MemoryFile(
        path=file.path,
        content=content,
        encoding=encoding,
        content_hash=hashlib.sha256(file.content or b"").hexdigest(),
        size_bytes=file.size_bytes,
        created_at=rfc3339(file.created_ms),
        updated_at=rfc3339(file.updated_ms),
    )


def memory_id_of(call: Call[object, object]) -> WorkspaceId:
    return WorkspaceId(from_wire(Prefix.MEMORY, call.path["memory_id"]))


# ── memories ────────────────────────────────────────────────────────────────────────────────────


@table.route("GET", "/memories", query=WorkspacesQuery, answer=MemoryList)
async def list_memories(call: Call[NoBody, WorkspacesQuery]) -> Reply:
    """Memories, newest first."""
    listed = Listed(tokens=tokens(call.query.search), include_archived=call.query.include_archived)
    async with call.services.store.transaction(call.org_id) as tx:
        found = await memories.list_all(tx, call.org_id, listed)
    return json_reply(MemoryList(data=tuple(memory_view(one) for one in found)))


@table.route("POST", "/memories", body=MemoryBody, answer=MemoryView, status=201)
async def create_memory(call: Call[MemoryBody, NoQuery]) -> Reply:
    """Creates a memory."""
    services = call.services
    draft = draft_of(call.body, None)

    async def work(tx: Transaction) -> Answer:
        id_ = WorkspaceId(services.ids.uuid7())
        made = await memories.create(tx, call.org_id, id_, draft, now_ms=call.now_ms)
        return json_answer(memory_view(made), status=201)

    return reply_of(await once(services.store, call.org_id, call.key, work))


def draft_of(body: MemoryPatch, present: Memory | None) -> MemoryDraft:
    return MemoryDraft(
        name=body.name if isinstance(body.name, str) else present.name if present else "",
        description=kept(body.description, present.description if present else None),
        source=kept(body.source, present.source if present else None),
    )


@table.route("GET", _ONE, answer=MemoryView)
async def get_memory(call: Call[NoBody, NoQuery]) -> Reply:
    """One memory."""
    async with call.services.store.transaction(call.org_id) as tx:
        return json_reply(memory_view(await memories.get(tx, memory_id_of(call))))


@table.route("PATCH", _ONE, body=MemoryPatch, answer=MemoryView, other_statuses=(409,))
async def update_memory(call: Call[MemoryPatch, NoQuery]) -> Reply:
    """Changes the members that are given."""
    async with call.services.store.transaction(call.org_id) as tx:
        present = await memories.get(tx, memory_id_of(call), lock=True)
        draft = draft_of(call.body, present)
        changed = await memories.change(tx, present, draft, now_ms=call.now_ms)
    return json_reply(memory_view(changed))


@table.route("DELETE", _ONE, status=204)
async def delete_memory(call: Call[NoBody, NoQuery]) -> Reply:
    """Archives a memory; its name is free again."""
    async with call.services.store.transaction(call.org_id) as tx:
        await memories.archive(tx, memory_id_of(call), now_ms=call.now_ms)
    return Reply(status=204)


@table.route("POST", f"{_ONE}/sync", answer=MemoryView)
async def sync_memory(call: Call[NoBody, NoQuery]) -> Reply:
    """Asks for what is new at the source, where there is one."""

    async def work(tx: Transaction) -> Answer:
        memory = await memories.sync(tx, memory_id_of(call), now_ms=call.now_ms)
        return json_answer(memory_view(memory), status=200)

    return reply_of(await once(call.services.store, call.org_id, call.key, work))


# ── files ───────────────────────────────────────────────────────────────────────────────────────


async def _write(call: Call[object, object], tx: Transaction) -> files.Write:
    memory = await memories.get(tx, memory_id_of(call))
    return files.Write(org_id=call.org_id, workspace_id=WorkspaceId(memory.id), now_ms=call.now_ms)


@table.route("GET", _FS, query=TreeQuery, answer=MemoryFileList)
async def list_memory_files(call: Call[NoBody, TreeQuery]) -> Reply:
    """The files of the root directory, or all of them."""
    async with call.services.store.transaction(call.org_id) as tx:
        owner = (await _write(call, tx)).workspace_id
        found = await files.list_directory(tx, owner, "/", recursive=call.query.recursive)
    return json_reply(MemoryFileList(data=tuple(file_info(file) for file in found)))


@table.route("POST", f"{_FS}/_/stat", body=StatBody, answer=MemoryFileInfo)
async def stat_memory_file(call: Call[StatBody, NoQuery]) -> Reply:
    """What is at a path, without its content."""
    async with call.services.store.transaction(call.org_id) as tx:
        owner = (await _write(call, tx)).workspace_id
        return json_reply(file_info(await files.read(tx, owner, call.body.path)))


@table.route(
    "GET",
    f"{_FS}/_/download/{{path:path}}",
    answer=str,
    media_types=("application/octet-stream",),
)
async def download_memory_file(call: Call[NoBody, NoQuery]) -> Reply:
    """A file's bytes as they are."""
    async with call.services.store.transaction(call.org_id) as tx:
        owner = (await _write(call, tx)).workspace_id
        return file_reply(await files.read(tx, owner, call.path["path"]))


@table.route("GET", _FILE, query=TreeQuery, answer=MemoryFile, or_answer=MemoryFileList)
async def get_memory_file(call: Call[NoBody, TreeQuery]) -> Reply:
    """A file with its content, a directory as a list."""
    path = call.path["path"]
    async with call.services.store.transaction(call.org_id) as tx:
        owner = (await _write(call, tx)).workspace_id
        file = await files.read(tx, owner, path)
        if file.is_directory:
            below = await files.list_directory(tx, owner, path, recursive=call.query.recursive)
            return json_reply(MemoryFileList(data=tuple(file_info(one) for one in below)))
    return json_reply(file_whole(file))


@table.route(
    "POST",
    _FILE,
    body=FileWrite,
    answer=MemoryFileInfo,
    status=201,
    body_bytes_max=FILE_BODY_BYTES_MAX,
)
async def create_memory_file(call: Call[FileWrite, NoQuery]) -> Reply:
    """Makes a file or a directory with all directories above it."""
    draft = _draft(call.body)

    async def work(tx: Transaction) -> Answer:
        write = await _write(call, tx)
        made = await files.create(tx, write, call.path["path"], draft, call.services.ids)
        return json_answer(file_info(made), status=201)

    return reply_of(await once(call.services.store, call.org_id, call.key, work))


@table.route(
    "PUT",
    _FILE,
    body=FileWrite,
    answer=MemoryFile,
    other_statuses=(409,),
    body_bytes_max=FILE_BODY_BYTES_MAX,
)
async def update_memory_file(call: Call[FileWrite, NoQuery]) -> Reply:
    """Replaces a file's content."""
    async with call.services.store.transaction(call.org_id) as tx:
        write = await _write(call, tx)
        changed = await files.update(tx, write, call.path["path"], _draft(call.body))
    return json_reply(file_whole(changed))


@table.route("DELETE", _FILE, status=204, other_statuses=(409,))
async def delete_memory_file(call: Call[NoBody, NoQuery]) -> Reply:
    """Removes a file, or a directory with all below it."""
    async with call.services.store.transaction(call.org_id) as tx:
        owner = (await _write(call, tx)).workspace_id
        if not await files.delete(tx, owner, call.path["path"], recursive=True):
            msg = "no such file"
            raise NotFound(msg)
    return Reply(status=204)


def _draft(body: FileWrite) -> files.FileDraft:
    return files.FileDraft(
        content=files.decode_content(body.content, body.encoding),
        is_directory=bool(body.is_directory),
    )
