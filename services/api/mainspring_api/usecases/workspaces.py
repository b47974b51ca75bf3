"""Workspaces that several sessions may share. Archiving one frees its name."""

from collections.abc import Sequence

import msgspec

from mainspring_api.domain.resources import Status, Workspace
from mainspring_api.ports.store import Listed, Transaction
from mainspring_kernel.errors import Conflict, NameTaken, NotFound
from mainspring_kernel.ids import SessionId, WorkspaceId


async def create(
    tx: Transaction, name: str, description: str | None, *, id_: WorkspaceId, now_ms: int
) -> Workspace:
    """Raises NameTaken, NotFound for an unknown organization."""
    organization = await tx.organization()
    if organization is None:
        raise NotFound
    if await tx.workspace_named(name) is not None:
        msg = f"a workspace named {name[:64]!r} exists"
        raise NameTaken(msg)
    workspace = Workspace(
        org_id=organization.id,
        id=id_,
        name=name,
        description=description,
        created_ms=now_ms,
        updated_ms=now_ms,
    )
    await tx.put_workspace(workspace)
    return workspace


async def get(tx: Transaction, id_: WorkspaceId) -> Workspace:
    """A session's own workspace is shown as one, too. Raises NotFound."""
    workspace = await tx.workspace(id_)
    if workspace is not None:
        return workspace
    session = await tx.session(SessionId(id_))
    if session is None or session.workspace_id != id_:
        msg = "no such workspace"
        raise NotFound(msg)
    return Workspace(
        org_id=session.org_id,
        id=id_,
        name=f"session-{id_.hex}",
        created_ms=session.created_ms,
        updated_ms=session.updated_ms,
    )


async def list_all(tx: Transaction, listed: Listed) -> Sequence[Workspace]:
    """Those that were made on their own, newest first."""
    return await tx.workspaces(listed)


async def change(
    tx: Transaction,
    id_: WorkspaceId,
    *,
    name: str | None,
    description: str | None,
    status: Status | None,
    now_ms: int,
) -> Workspace:
    """Raises NotFound, NameTaken, Conflict for a session's own."""
    workspace = await _made(tx, id_)
    wanted = status or workspace.status
    new_name = name or workspace.name
    other = await tx.workspace_named(new_name)
    if wanted == "active" and other is not None and other.id != id_:
        msg = f"a workspace named {new_name[:64]!r} exists"
        raise NameTaken(msg)
    changed = msgspec.structs.replace(
        workspace,
        name=new_name,
        description=description,
        status=wanted,
        archived_ms=None if wanted == "active" else workspace.archived_ms or now_ms,
        updated_ms=now_ms,
    )
    await tx.put_workspace(changed)
    return changed


async def archive(tx: Transaction, id_: WorkspaceId, *, now_ms: int) -> None:
    """Archiving an archived one changes nothing. Raises NotFound, Conflict for a session's own."""
    workspace = await _made(tx, id_)
    if workspace.status == "active":
        archived = msgspec.structs.replace(
            workspace, status="archived", archived_ms=now_ms, updated_ms=now_ms
        )
        await tx.put_workspace(archived)


async def _made(tx: Transaction, id_: WorkspaceId) -> Workspace:
    workspace = await tx.workspace(id_)
    if workspace is None:
        await get(tx, id_)
        msg = "the workspace is a session's own, and goes with it"
        raise Conflict(msg)
    return workspace
