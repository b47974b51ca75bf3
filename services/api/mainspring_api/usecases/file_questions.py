"""Files as tools read them: listed, whole or in part, with the hash that an edit must name."""

from typing import Final, assert_never

from mainspring_api.domain import paths
from mainspring_api.domain.edits import content_hash
from mainspring_api.domain.resources import File
from mainspring_api.ports.store import Transaction
from mainspring_api.usecases import files
from mainspring_kernel.errors import InvalidParameter
from mainspring_kernel.ids import WorkspaceId
from mainspring_schema.holdings import (
    FileContents,
    FileEntry,
    FileListing,
    FilePart,
    ListFiles,
    ReadFile,
    ReadFiles,
)
from mainspring_schema.limits import HELD_LISTING_ROWS_MAX, HELD_READ_BYTES_MAX

Answer = FileListing | FilePart | FileContents
_ROOT: Final = FileEntry(
    path="/", is_directory=True, is_readonly=False, size_bytes=0, created_ms=0, updated_ms=0
)


async def answer(
    tx: Transaction, workspace_id: WorkspaceId, question: ListFiles | ReadFile | ReadFiles
) -> Answer:
    """Raises NotFound, ValidationFailed for a path outside, InvalidParameter."""
    match question:
        case ListFiles():
            return await _list(tx, workspace_id, question)
        case ReadFile():
            return await _read(tx, workspace_id, question)
        case ReadFiles():
            return await _read_many(tx, workspace_id, question)
        case _:
            assert_never(question)


def entry_of(file: File) -> FileEntry:
    return FileEntry(
        path=file.path,
        is_directory=file.is_directory,
        is_readonly=file.is_readonly,
        size_bytes=file.size_bytes,
        created_ms=file.created_ms,
        updated_ms=file.updated_ms,
    )


async def _list(tx: Transaction, workspace_id: WorkspaceId, question: ListFiles) -> FileListing:
    if not 0 < question.limit <= HELD_LISTING_ROWS_MAX:
        detail = f"limit must be 1 to {HELD_LISTING_ROWS_MAX}"
        raise InvalidParameter(detail)
    found = await files.list_directory(
        tx, workspace_id, question.path, recursive=question.recursive
    )
    after = question.after or ""
    # Codepoints and not a locale decide, here as in what asks for the rest.
    ordered = sorted((file for file in found if file.path > after), key=lambda file: file.path)
    page = tuple(entry_of(file) for file in ordered[: question.limit])
    return FileListing(entries=page, next=page[-1].path if len(ordered) > question.limit else None)


async def _read(tx: Transaction, workspace_id: WorkspaceId, question: ReadFile) -> FilePart:
    if not 0 <= question.bytes_max <= HELD_READ_BYTES_MAX or question.offset < 0:
        detail = f"bytes_max must be 0 to {HELD_READ_BYTES_MAX}, offset 0 or more"
        raise InvalidParameter(detail)
    if paths.normalise(question.path) == "/":
        return FilePart(entry=_ROOT, content_hash="", offset=0, content=b"")
    file = await files.read(tx, workspace_id, question.path)
    return _part(file, question.offset, question.bytes_max)


async def _read_many(
    tx: Transaction, workspace_id: WorkspaceId, question: ReadFiles
) -> FileContents:
    if not 0 < question.bytes_max <= HELD_READ_BYTES_MAX:
        detail = f"bytes_max must be 1 to {HELD_READ_BYTES_MAX}"
        raise InvalidParameter(detail)
    wanted = [paths.normalise(path) for path in question.paths[:HELD_LISTING_ROWS_MAX]]
    sizes = {file.path: file.size_bytes for file in await tx.files(workspace_id)}
    room, fitting = question.bytes_max, list[str]()
    for path in dict.fromkeys(wanted):
        if path in sizes and sizes[path] <= room:
            room -= sizes[path]
            fitting.append(path)
    found = await tx.files_at(workspace_id, fitting)
    # One may have grown since its size was read.
    parts = (_part(file, 0, HELD_READ_BYTES_MAX) for file in found if not file.is_directory)
    return FileContents(files=tuple(part for part in parts if _is_whole(part)))


def _part(file: File, offset: int, bytes_max: int) -> FilePart:
    content = file.content or b""
    return FilePart(
        entry=entry_of(file),
        content_hash="" if file.is_directory else content_hash(content),
        offset=offset,
        content=content[offset : offset + bytes_max],
    )


def _is_whole(part: FilePart) -> bool:
    return len(part.content) == part.entry.size_bytes
