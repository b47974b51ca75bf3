"""Files of a workspace: whole files by path; directories are made as needed."""

import base64
import binascii
from collections.abc import Sequence
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_api.domain import paths
from mainspring_api.domain.limits import FILE_BYTES_MAX
from mainspring_api.domain.memories import Memory
from mainspring_api.domain.resources import File
from mainspring_api.ports.store import Transaction
from mainspring_kernel.errors import Conflict, NotFound, PayloadTooLarge, ValidationFailed
from mainspring_kernel.ids import Ids, OrgId, SessionId, WorkspaceId
from mainspring_schema.agents import InitialFile


class FileDraft(Struct, frozen=True, kw_only=True):
    """`content` of None leaves it as it is."""

    content: bytes | None = None
    is_directory: bool = False
    is_readonly: bool | None = None


class Write(Struct, frozen=True, kw_only=True):
    """Where and when a write happens, and where new ids come from."""

    org_id: OrgId
    workspace_id: WorkspaceId
    now_ms: int


def decode_content(content: str | None, encoding: str | None) -> bytes | None:
    """Raises ValidationFailed for broken base64 or another encoding, PayloadTooLarge."""
    if content is None:
        return None
    match encoding:
        case "base64":
            try:
                data = base64.b64decode(content, validate=True)
            except (binascii.Error, ValueError):
                msg = "content is not base64"
                raise ValidationFailed(msg) from None
        case None | "text":
            data = content.encode()
        case _:
            msg = "encoding is text or base64"
            raise ValidationFailed(msg)
    if len(data) > FILE_BYTES_MAX:
        what = "a file"
        raise PayloadTooLarge(what, FILE_BYTES_MAX)
    return data


async def check_workspace(tx: Transaction, id_: WorkspaceId) -> None:
    """A session's own workspace bears the session's id, a memory's the memory's.

    Raises NotFound.
    """
    known = (
        await tx.workspace(id_) or await tx.session(SessionId(id_)) or await tx.record(Memory, id_)
    )
    if known is None:
        msg = "no such workspace"
        raise NotFound(msg)


async def list_directory(
    tx: Transaction, id_: WorkspaceId, path: str, *, recursive: bool
) -> Sequence[File]:
    """Raises NotFound for a directory that is not there."""
    await check_workspace(tx, id_)
    directory = paths.normalise(path)
    everything = await tx.files(id_)
    if directory != "/" and not any(f.path == directory and f.is_directory for f in everything):
        msg = "no such directory"
        raise NotFound(msg)
    within = paths.is_below if recursive else paths.is_directly_in
    return [file for file in everything if within(file.path, directory)]


async def read(tx: Transaction, id_: WorkspaceId, path: str) -> File:
    """Raises NotFound."""
    await check_workspace(tx, id_)
    file = await tx.file(id_, paths.normalise(path))
    if file is None:
        msg = "no such file"
        raise NotFound(msg)
    return file


async def create(tx: Transaction, write: Write, path: str, draft: FileDraft, ids: Ids) -> File:
    """Raises Conflict where something is at the path."""
    await tx.lock_files(write.workspace_id)
    await check_workspace(tx, write.workspace_id)
    where = paths.normalise(path)
    if where == "/" or await tx.file(write.workspace_id, where) is not None:
        msg = "the path is taken"
        raise Conflict(msg)
    file = make_file(write, where, draft, ids.uuid7())
    await tx.put_files([*await _missing_parents(tx, write, where, ids), file])
    return file


async def update(tx: Transaction, write: Write, path: str, draft: FileDraft) -> File:
    """Raises NotFound, Conflict for a read-only file or a directory."""
    await tx.lock_files(write.workspace_id)
    file = await read(tx, write.workspace_id, path)
    if file.is_directory or (file.is_readonly and draft.is_readonly is not False):
        raise Conflict("the file is read-only" if file.is_readonly else "this is a directory")
    content = file.content if draft.content is None else draft.content
    changed = msgspec.structs.replace(
        file,
        content=content,
        size_bytes=len(content or b""),
        is_readonly=file.is_readonly if draft.is_readonly is None else draft.is_readonly,
        updated_ms=write.now_ms,
    )
    await tx.put_files([changed])
    return changed


async def replace(tx: Transaction, write: Write, path: str, content: bytes, ids: Ids) -> None:
    """Makes a file, or gives it new content. Raises Conflict as `create` and `update` do."""
    await tx.lock_files(write.workspace_id)
    draft = FileDraft(content=content)
    if await tx.file(write.workspace_id, path) is None:
        await create(tx, write, path, draft, ids)
    else:
        await update(tx, write, path, draft)


async def delete(tx: Transaction, id_: WorkspaceId, path: str, *, recursive: bool) -> bool:
    """Whether something was there. Raises Conflict for a directory that holds something."""
    await tx.lock_files(id_)
    await check_workspace(tx, id_)
    where = paths.normalise(path)
    everything = await tx.files(id_)
    below = [file for file in everything if paths.is_below(file.path, where)]
    if below and not recursive:
        msg = "the directory is not empty"
        raise Conflict(msg)
    gone = [file for file in everything if file.path == where] + below
    if any(file.is_readonly for file in gone):
        msg = "a read-only file is never removed"
        raise Conflict(msg)
    return await tx.remove_files(id_, [file.path for file in gone]) > 0


async def write_initial(
    tx: Transaction, write: Write, initial: Sequence[InitialFile], ids: Ids, *, shared: bool
) -> None:
    """A new session's files with the directories above them.

    In a workspace that others have too, files that are there stay as they are. Raises
    ValidationFailed where a path would be a file and a directory, Conflict where it is the other.
    """
    wanted = _initial(write, initial, ids)
    if shared and wanted:
        await tx.lock_files(write.workspace_id)
        for there in await tx.files_at(write.workspace_id, list(wanted)):
            if there.is_directory != wanted.pop(there.path).is_directory:
                msg = f"{there.path} is a {'directory' if there.is_directory else 'file'}"
                raise Conflict(msg)
    if wanted:
        await tx.put_files(list(wanted.values()))


def _initial(write: Write, initial: Sequence[InitialFile], ids: Ids) -> dict[str, File]:
    files: dict[str, File] = {}
    for one in initial:
        where = paths.normalise(one.path)
        content = decode_content(one.content, one.encoding)
        draft = FileDraft(content=content, is_readonly=one.is_readonly)
        files[where] = make_file(write, where, draft, ids.uuid7())
    for above in paths.directories(files):
        files[above] = make_file(write, above, FileDraft(is_directory=True), ids.uuid7())
    return files


def make_file(write: Write, path: str, draft: FileDraft, id_: UUID) -> File:
    content = None if draft.is_directory else draft.content or b""
    return File(
        org_id=write.org_id,
        workspace_id=write.workspace_id,
        path=path,
        id=id_,
        is_directory=draft.is_directory,
        is_readonly=bool(draft.is_readonly),
        size_bytes=len(content or b""),
        content=content,
        created_ms=write.now_ms,
        updated_ms=write.now_ms,
    )


async def _missing_parents(tx: Transaction, write: Write, path: str, ids: Ids) -> list[File]:
    parents: list[File] = []
    for above in paths.ancestors(path):
        there = await tx.file(write.workspace_id, above)
        if there is None:
            parents.append(make_file(write, above, FileDraft(is_directory=True), ids.uuid7()))
        elif not there.is_directory:
            msg = f"{above} is a file"
            raise Conflict(msg)
    return parents
