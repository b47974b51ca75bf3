"""Changes of files by tools: several in one transaction, on expected content, within bounds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from mainspring_api.domain import edits, paths
from mainspring_api.domain.limits import WORKSPACE_BYTES_MAX
from mainspring_api.domain.resources import File
from mainspring_api.ports.store import Transaction
from mainspring_api.usecases import files
from mainspring_api.usecases.file_questions import entry_of
from mainspring_kernel.errors import Conflict, NotFound, PayloadTooLarge, ValidationFailed
from mainspring_kernel.ids import Ids, OrgId, WorkspaceId
from mainspring_schema.holdings import (
    ChangeFiles,
    CopyFile,
    EditFile,
    FileChange,
    FileEdited,
    FilesChanged,
    MakeDirectory,
    MoveFile,
    PutFile,
    RemoveFile,
)
from mainspring_schema.limits import (
    FILE_CHANGES_MAX,
    FILE_EDITS_MAX,
    HELD_READ_BYTES_MAX,
    WORKSPACE_FILES_MAX,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where and when the changes happen, and where new ids come from."""

    tx: Transaction
    org_id: OrgId
    workspace_id: WorkspaceId
    ids: Ids
    now_ms: int

    @property
    def write(self) -> files.Write:
        return files.Write(org_id=self.org_id, workspace_id=self.workspace_id, now_ms=self.now_ms)

    async def at(self, path: str) -> File | None:
        return await self.tx.file(self.workspace_id, path)


async def carry_out(place: Place, order: ChangeFiles | EditFile) -> FilesChanged | FileEdited:
    """Raises NotFound, Conflict, ValidationFailed, PayloadTooLarge; then nothing is changed."""
    match order:
        case ChangeFiles():
            return await _change(place, order)
        case EditFile():
            return await _edit(place, order)
        case _:
            assert_never(order)


async def _change(place: Place, order: ChangeFiles) -> FilesChanged:
    if len(order.changes) > FILE_CHANGES_MAX:
        detail = f"at most {FILE_CHANGES_MAX} changes at once"
        raise ValidationFailed(detail)
    targets = [paths.normalise(_target(change)) for change in order.changes]
    await place.tx.lock_files(place.workspace_id)
    before = await place.tx.files(place.workspace_id)
    for change in order.changes:
        await _carry_out_one(place, change)
    after = await place.tx.files(place.workspace_id)
    _check_bounds(before, after)
    there = {file.path: entry_of(file) for file in after}
    old = {file.path for file in before}
    return FilesChanged(
        entries=tuple(there.get(path) for path in targets),
        created=sum(path in there and path not in old for path in set(targets)),
        note=order.note,
    )


async def _edit(place: Place, order: EditFile) -> FileEdited:
    if not 0 < len(order.edits) <= FILE_EDITS_MAX:
        detail = f"1 to {FILE_EDITS_MAX} edits at once"
        raise ValidationFailed(detail)
    path = paths.normalise(order.path)
    await place.tx.lock_files(place.workspace_id)
    found = await place.at(path)
    if found is None:
        detail = f"there is no file at {path}"
        raise NotFound(detail)
    if found.is_directory:
        detail = f"{path} is a directory"
        raise Conflict(detail)
    content = found.content or b""
    if len(content) > HELD_READ_BYTES_MAX:
        what = "a file to edit"
        raise PayloadTooLarge(what, HELD_READ_BYTES_MAX)
    edited = edits.apply(content, order.edits, expected=order.expected)
    before = await place.tx.files(place.workspace_id)
    changed = await files.update(
        place.tx, place.write, path, files.FileDraft(content=edited.content)
    )
    _check_bounds(before, await place.tx.files(place.workspace_id))
    return FileEdited(
        entry=entry_of(changed),
        content_hash=edits.content_hash(edited.content),
        replacements=edited.replacements,
        rebased=edited.rebased,
    )


def _target(change: FileChange) -> str:
    return change.target if isinstance(change, MoveFile | CopyFile) else change.path


async def _carry_out_one(place: Place, change: FileChange) -> None:
    match change:
        case PutFile():
            await _put(place, change)
        case RemoveFile():
            await _remove(place, change)
        case MoveFile() | CopyFile():
            await _transfer(place, change)
        case MakeDirectory():
            await _make_directory(place, paths.normalise(change.path))
        case _:
            assert_never(change)


async def _put(place: Place, change: PutFile) -> None:
    if len(change.content) > HELD_READ_BYTES_MAX:
        what = "a file of a worker"
        raise PayloadTooLarge(what, HELD_READ_BYTES_MAX)
    path = paths.normalise(change.path)
    _check_expected(await place.at(path), path, change.expected)
    await files.replace(place.tx, place.write, path, change.content, place.ids)


async def _remove(place: Place, change: RemoveFile) -> None:
    path = paths.normalise(change.path)
    if path == "/":
        detail = "the root stays"
        raise Conflict(detail)
    _check_expected(await place.at(path), path, change.expected)
    if not await files.delete(place.tx, place.workspace_id, path, recursive=change.recursive):
        detail = f"there is no file at {path}"
        raise NotFound(detail)


def _check_expected(file: File | None, path: str, expected: str | None) -> None:
    if expected is None:
        return
    if file is None:
        if expected:
            detail = f"{path} was removed since it was read"
            raise Conflict(detail)
        return
    now = "" if file.is_directory else edits.content_hash(file.content or b"")
    if now != expected or not expected:
        why = "changed since it was read" if expected else "is there already"
        detail = f"{path} {why} (its content_hash is {now})"
        raise Conflict(detail)


async def _make_directory(place: Place, path: str) -> None:
    there = None if path == "/" else await place.at(path)
    if path == "/" or (there is not None and there.is_directory):
        return
    draft = files.FileDraft(is_directory=True)
    await files.create(place.tx, place.write, path, draft, place.ids)


async def _transfer(place: Place, change: MoveFile | CopyFile) -> None:
    source, target = paths.normalise(change.source), paths.normalise(change.target)
    if target == source or paths.is_below(target, source) or source == "/":
        detail = f"{source} cannot become {target}"
        raise Conflict(detail)
    moved = await _moved(place, source)
    if isinstance(change, MoveFile) and any(file.is_readonly for file in moved):
        detail = f"{source} is read-only, or holds something that is"
        raise Conflict(detail)
    await _clear(place, target, source=moved[0], overwrite=change.overwrite)
    for above in paths.ancestors(target):
        await _make_directory(place, above)
    pairs = [(file.path, target + file.path[len(source) :]) for file in moved]
    if isinstance(change, MoveFile):
        await place.tx.move_files(place.workspace_id, pairs, now_ms=place.now_ms)
    else:
        copies = [(old, new, place.ids.uuid7()) for old, new in pairs]
        await place.tx.copy_files(place.workspace_id, copies, now_ms=place.now_ms)


async def _moved(place: Place, source: str) -> list[File]:
    """What is at the path, then all below it."""
    everything = await place.tx.files(place.workspace_id)
    at = [file for file in everything if file.path == source]
    if not at:
        detail = f"there is no file at {source}"
        raise NotFound(detail)
    return at + [file for file in everything if paths.is_below(file.path, source)]


async def _clear(place: Place, target: str, *, source: File, overwrite: bool) -> None:
    there = await place.at(target)
    if there is None and target != "/":
        return
    if there is None or not overwrite or there.is_directory or source.is_directory:
        detail = f"{target} is there already"
        raise Conflict(detail)
    await files.delete(place.tx, place.workspace_id, target, recursive=False)


def _check_bounds(before: Sequence[File], after: Sequence[File]) -> None:
    """What people filled over a bound may shrink by a change, never grow."""
    size = _size_bytes(after)
    if size > WORKSPACE_BYTES_MAX and size > _size_bytes(before):
        what = "a workspace that workers write to"
        raise PayloadTooLarge(what, WORKSPACE_BYTES_MAX)
    if len(after) > WORKSPACE_FILES_MAX and len(after) > len(before):
        detail = f"a workspace that workers write to holds at most {WORKSPACE_FILES_MAX} files"
        raise Conflict(detail)


def _size_bytes(listed: Sequence[File]) -> int:
    return sum(file.size_bytes for file in listed)
