"""fs/_/move, fs/_/copy and fs/_/grep below workspaces and sessions, fs/_/grep below memories"""

from typing import Annotated

from msgspec import Meta, Struct

from mainspring_api.adapters.http.routes.memories import memory_id_of
from mainspring_api.adapters.http.routes.workspaces import owner_of
from mainspring_api.adapters.http.routing import (
    Call,
    NoQuery,
    Reply,
    RouteTable,
    json_answer,
    json_reply,
    reply_of,
)
from mainspring_api.adapters.http.wire.resources import FileView, file_view
from mainspring_api.ports.store import Transaction
from mainspring_api.usecases import file_changes, file_search, files, memories
from mainspring_api.usecases.once import Answer, once
from mainspring_kernel.ids import WorkspaceId
from mainspring_schema.holdings import ChangeFiles, CopyFile, MoveFile

table = RouteTable("file_orders")
FilePath = Annotated[str, Meta(min_length=1, max_length=1024)]


class TransferBody(Struct, frozen=True, kw_only=True):
    src_path: FilePath
    dst_path: FilePath


class GrepBody(Struct, frozen=True, kw_only=True):
    """`pattern` is a regular expression (RE2), `path_pattern` one of paths, with `*` and `**`."""

    pattern: Annotated[str, Meta(min_length=1, max_length=1000)]
    path_pattern: Annotated[str, Meta(max_length=1000)] | None = None


class GrepMatchView(Struct, frozen=True, kw_only=True):
    path: str
    line: str
    line_number: int


class GrepView(Struct, frozen=True, kw_only=True):
    path: str
    matches: tuple[GrepMatchView, ...]


class GrepList(Struct, frozen=True, kw_only=True):
    data: tuple[GrepView, ...]


class MemoryGrepView(Struct, frozen=True, kw_only=True):
    path: str
    size_bytes: int


class MemoryGrepList(Struct, frozen=True, kw_only=True):
    data: tuple[MemoryGrepView, ...]


async def move_file(call: Call[TransferBody, NoQuery]) -> Reply:
    """Moves a file, or a directory with all below it."""
    body = call.body
    return await _transferred(call, MoveFile(source=body.src_path, target=body.dst_path))


async def copy_file(call: Call[TransferBody, NoQuery]) -> Reply:
    """Copies a file, or a directory with all below it."""
    body = call.body
    return await _transferred(call, CopyFile(source=body.src_path, target=body.dst_path))


async def _transferred(call: Call[TransferBody, NoQuery], change: MoveFile | CopyFile) -> Reply:
    services = call.services

    async def work(tx: Transaction) -> Answer:
        owner = await owner_of(call, tx)
        place = file_changes.Place(
            tx=tx, org_id=call.org_id, workspace_id=owner, ids=services.ids, now_ms=call.now_ms
        )
        await file_changes.carry_out(place, ChangeFiles(changes=(change,)))
        return json_answer(file_view(await files.read(tx, owner, change.target)), status=200)

    return reply_of(await once(services.store, call.org_id, call.key, work))


async def grep_files(call: Call[GrepBody, NoQuery]) -> Reply:
    """The lines that fit a pattern, file by file."""
    async with call.services.store.transaction(call.org_id) as tx:
        owner = await owner_of(call, tx)
        await files.check_workspace(tx, owner)
    found = await _found(call, owner)
    shown = tuple(
        GrepView(
            path=one.file.path,
            matches=tuple(
                GrepMatchView(path=line.path, line=line.text, line_number=line.number)
                for line in one.lines
            ),
        )
        for one in found
    )
    return json_reply(GrepList(data=shown))


@table.route("POST", "/memories/{memory_id:str}/fs/_/grep", body=GrepBody, answer=MemoryGrepList)
async def grep_memory_files(call: Call[GrepBody, NoQuery]) -> Reply:
    """The files in which a line fits a pattern."""
    async with call.services.store.transaction(call.org_id) as tx:
        memory = await memories.get(tx, memory_id_of(call))
    found = await _found(call, WorkspaceId(memory.id))
    shown = tuple(
        MemoryGrepView(path=one.file.path, size_bytes=one.file.size_bytes) for one in found
    )
    return json_reply(MemoryGrepList(data=shown))


async def _found(call: Call[GrepBody, NoQuery], owner: WorkspaceId) -> list[file_search.Found]:
    body = call.body
    return await file_search.grep(
        call.services.store, call.org_id, owner, body.pattern, body.path_pattern
    )


def _register(owner: str, suffix: str) -> None:
    """The same routes below a workspace and below a session."""
    at = f"{owner}/fs/_"
    for name, carried in (("move", move_file), ("copy", copy_file)):
        table.route(
            "POST",
            f"{at}/{name}",
            body=TransferBody,
            answer=FileView,
            other_statuses=(409,),
            suffix=suffix,
        )(carried)
    table.route("POST", f"{at}/grep", body=GrepBody, answer=GrepList, suffix=suffix)(grep_files)


_register("/workspaces/{workspace_id:str}", "")
_register("/sessions/{session_id:str}", "_of_session")
