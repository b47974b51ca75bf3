"""/workspaces and the files in them, also as /sessions/{id}/fs"""

from typing import Annotated
from urllib.parse import quote

from msgspec import Meta, Struct

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
    FileView,
    FileWrite,
    WorkspaceBody,
    WorkspacePatch,
    WorkspaceView,
    file_view,
    workspace_view,
)
from mainspring_api.adapters.http.wire.tiers import kept
from mainspring_api.domain import limits as bounds
from mainspring_api.domain.naming import tokens
from mainspring_api.domain.resources import File
from mainspring_api.ports.store import Listed, Transaction
from mainspring_api.usecases import files, workspaces
from mainspring_api.usecases.known import known_session
from mainspring_api.usecases.once import Answer, once
from mainspring_kernel import limits
from mainspring_kernel.errors import NotFound
from mainspring_kernel.ids import Prefix, SessionId, WorkspaceId, from_wire

table = RouteTable("workspaces")
FILE_BODY_BYTES_MAX = bounds.FILE_BYTES_MAX * 4 // 3 + limits.MIB
"""A file as base64 inside JSON."""


class WorkspacesQuery(Struct, frozen=True, kw_only=True):
    search: Annotated[str, Meta(max_length=200)] | None = None
    include_archived: bool = False


class WorkspaceList(Struct, frozen=True, kw_only=True):
    data: tuple[WorkspaceView, ...]


class TreeQuery(Struct, frozen=True, kw_only=True):
    recursive: bool = False


class FileList(Struct, frozen=True, kw_only=True):
    data: tuple[FileView, ...]


class Deleted(Struct, frozen=True, kw_only=True):
    deleted: bool


class StatBody(Struct, frozen=True, kw_only=True):
    path: Annotated[str, Meta(min_length=1, max_length=1024)]


# ── workspaces ──────────────────────────────────────────────────────────────────────────────────


@table.route("GET", "/workspaces", query=WorkspacesQuery, answer=WorkspaceList)
async def list_workspaces(call: Call[NoBody, WorkspacesQuery]) -> Reply:
    """Workspaces, newest first."""
    listed = Listed(
        tokens=tokens(call.query.search),
        include_archived=call.query.include_archived,
        limit=limits.PAGE_ROWS_MAX,
    )
    async with call.services.store.transaction(call.org_id) as tx:
        found = await workspaces.list_all(tx, listed)
    return json_reply(WorkspaceList(data=tuple(workspace_view(one) for one in found)))


@table.route(
    "POST",
    "/workspaces",
    body=WorkspaceBody,
    answer=WorkspaceView,
    status=201,
    other_statuses=(409,),
)
async def create_workspace(call: Call[WorkspaceBody, NoQuery]) -> Reply:
    """Creates a workspace."""
    services, body = call.services, call.body

    async def work(tx: Transaction) -> Answer:
        id_ = WorkspaceId(services.ids.uuid7())
        made = await workspaces.create(tx, body.name, body.description, id_=id_, now_ms=call.now_ms)
        return json_answer(workspace_view(made), status=201)

    return reply_of(await once(services.store, call.org_id, call.key, work))


@table.route("GET", "/workspaces/{workspace_id:str}", answer=WorkspaceView)
async def get_workspace(call: Call[NoBody, NoQuery]) -> Reply:
    """One workspace."""
    async with call.services.store.transaction(call.org_id) as tx:
        found = await workspaces.get(tx, workspace_id_of(call))
    return json_reply(workspace_view(found))


@table.route(
    "PATCH",
    "/workspaces/{workspace_id:str}",
    body=WorkspacePatch,
    answer=WorkspaceView,
    other_statuses=(409,),
)
async def update_workspace(call: Call[WorkspacePatch, NoQuery]) -> Reply:
    """Changes the members that are given."""
    body, id_ = call.body, workspace_id_of(call)
    async with call.services.store.transaction(call.org_id) as tx:
        present = await tx.workspace(id_)
        changed = await workspaces.change(
            tx,
            id_,
            name=body.name if isinstance(body.name, str) else None,
            description=kept(body.description, present.description if present else None),
            status=body.status if isinstance(body.status, str) else None,
            now_ms=call.now_ms,
        )
    return json_reply(workspace_view(changed))


@table.route("DELETE", "/workspaces/{workspace_id:str}", status=204)
async def delete_workspace(call: Call[NoBody, NoQuery]) -> Reply:
    """Archives a workspace."""
    async with call.services.store.transaction(call.org_id) as tx:
        await workspaces.archive(tx, workspace_id_of(call), now_ms=call.now_ms)
    return Reply(status=204)


def workspace_id_of(call: Call[object, object]) -> WorkspaceId:
    return WorkspaceId(from_wire(Prefix.WORKSPACE, call.path["workspace_id"]))


# ── files ───────────────────────────────────────────────────────────────────────────────────────


async def owner_of(call: Call[object, object], tx: Transaction) -> WorkspaceId:
    """The workspace of the path, or that of the session of the path. Raises NotFound."""
    if "workspace_id" in call.path:
        return workspace_id_of(call)
    session = await known_session(tx, SessionId(from_wire(Prefix.SESSION, call.path["session_id"])))
    return session.workspace_id


async def list_files(call: Call[NoBody, TreeQuery]) -> Reply:
    """The files of the root directory, or all of them."""
    async with call.services.store.transaction(call.org_id) as tx:
        owner = await owner_of(call, tx)
        found = await files.list_directory(tx, owner, "/", recursive=call.query.recursive)
    return json_reply(FileList(data=tuple(file_view(file) for file in found)))


async def get_file(call: Call[NoBody, TreeQuery]) -> Reply:
    """A file with its content, a directory as a list."""
    path = call.path["path"]
    async with call.services.store.transaction(call.org_id) as tx:
        owner = await owner_of(call, tx)
        file = await files.read(tx, owner, path)
        if file.is_directory:
            below = await files.list_directory(tx, owner, path, recursive=call.query.recursive)
            return json_reply(FileList(data=tuple(file_view(one) for one in below)))
    if "application/octet-stream" in call.request.headers.get("accept", ""):
        return Reply(body=file.content or b"", media_type="application/octet-stream")
    return json_reply(file_view(file, with_content=True))


async def download_file(call: Call[NoBody, NoQuery]) -> Reply:
    """A file's bytes as they are."""
    async with call.services.store.transaction(call.org_id) as tx:
        return file_reply(await files.read(tx, await owner_of(call, tx), call.path["path"]))


def file_reply(file: File) -> Reply:
    """To be saved under its name: no browser runs what an agent wrote. Raises NotFound."""
    if file.is_directory:
        msg = "this is a directory"
        raise NotFound(msg)
    name = quote(file.path.rpartition("/")[2], safe="")
    return Reply(
        body=file.content or b"",
        media_type="application/octet-stream",
        headers={"content-disposition": f"attachment; filename*=UTF-8''{name}"},
    )


async def create_file(call: Call[FileWrite, NoQuery]) -> Reply:
    """Makes a file or a directory with all directories above it."""
    services = call.services
    draft = draft_of(call.body)

    async def work(tx: Transaction) -> Answer:
        write = files.Write(
            org_id=call.org_id, workspace_id=await owner_of(call, tx), now_ms=call.now_ms
        )
        made = await files.create(tx, write, call.path["path"], draft, services.ids)
        return json_answer(file_view(made, with_content=True), status=201)

    return reply_of(await once(services.store, call.org_id, call.key, work))


async def update_file(call: Call[FileWrite, NoQuery]) -> Reply:
    """Replaces a file's content."""
    draft = draft_of(call.body)
    async with call.services.store.transaction(call.org_id) as tx:
        write = files.Write(
            org_id=call.org_id, workspace_id=await owner_of(call, tx), now_ms=call.now_ms
        )
        changed = await files.update(tx, write, call.path["path"], draft)
    return json_reply(file_view(changed, with_content=True))


async def delete_file(call: Call[NoBody, TreeQuery]) -> Reply:
    """Removes a file, or a directory."""
    async with call.services.store.transaction(call.org_id) as tx:
        owner = await owner_of(call, tx)
        gone = await files.delete(tx, owner, call.path["path"], recursive=call.query.recursive)
    return json_reply(Deleted(deleted=gone))


async def stat_file(call: Call[StatBody, NoQuery]) -> Reply:
    """What is at a path, without its content."""
    async with call.services.store.transaction(call.org_id) as tx:
        file = await files.read(tx, await owner_of(call, tx), call.body.path)
    return json_reply(file_view(file))


def draft_of(body: FileWrite) -> files.FileDraft:
    return files.FileDraft(
        content=files.decode_content(body.content, body.encoding),
        is_directory=bool(body.is_directory),
        is_readonly=body.is_readonly,
    )


def register_files(owner: str, suffix: str) -> None:
    """The same routes below a workspace and below a session."""
    at = f"{owner}/fs"
    one = f"{at}/{{path:path}}"
    table.route("GET", at, query=TreeQuery, answer=FileList, suffix=suffix)(list_files)
    table.route("POST", f"{at}/_/stat", body=StatBody, answer=FileView, suffix=suffix)(stat_file)
    table.route(
        "GET",
        f"{at}/_/download/{{path:path}}",
        answer=str,
        media_types=("application/octet-stream",),
        suffix=suffix,
    )(download_file)
    table.route("GET", one, query=TreeQuery, answer=FileView, or_answer=FileList, suffix=suffix)(
        get_file
    )
    table.route(
        "POST",
        one,
        body=FileWrite,
        answer=FileView,
        status=201,
        other_statuses=(409,),
        body_bytes_max=FILE_BODY_BYTES_MAX,
        suffix=suffix,
    )(create_file)
    table.route(
        "PUT",
        one,
        body=FileWrite,
        answer=FileView,
        other_statuses=(409,),
        body_bytes_max=FILE_BODY_BYTES_MAX,
        suffix=suffix,
    )(update_file)
    table.route(
        "DELETE", one, query=TreeQuery, answer=Deleted, other_statuses=(409,), suffix=suffix
    )(delete_file)


register_files("/workspaces/{workspace_id:str}", "")
register_files("/sessions/{session_id:str}", "_of_session")
