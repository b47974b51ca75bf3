"""Reads files of the workspace."""

from typing import Final

import msgspec

from mainspring_harness.builtin.session_file_system import LINES_DEFAULT
from mainspring_kernel.limits import MIB
from mainspring_schema.holdings import FileEntry, FilePart, ReadFile, ReadFiles
from mainspring_schema.limits import HELD_READ_BYTES_MAX
from mainspring_schema.messages import Json
from mainspring_worker.adapters.builtin_tools.files import text
from mainspring_worker.adapters.builtin_tools.files.places import shown, stored
from mainspring_worker.adapters.builtin_tools.function import error, number
from mainspring_worker.ports.tool import ToolContext, ToolOutcome

TEXT_BYTES_MAX: Final = 16 * MIB
"""Of a file that is read by lines: it passes through memory as a whole."""


async def read_file(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Lines of a text, or a small binary file as base64."""
    path = stored(arguments["path"])
    part = await context.resources.ask(ReadFile(path=path, bytes_max=HELD_READ_BYTES_MAX))
    if part.entry.is_directory:
        return error(f"{shown(part.entry.path)} is a directory; use list_directory")
    about: Json = {
        "path": shown(part.entry.path),
        "content_hash": part.content_hash,
        "size_bytes": part.entry.size_bytes,
    }
    if text.is_binary(part.content):
        return ToolOutcome(result={**about, **text.binary(part.content)})
    if part.entry.size_bytes > TEXT_BYTES_MAX:
        return error(f"the file has more than {TEXT_BYTES_MAX} bytes; use grep")
    lines = (await _whole(part, context)).decode(errors="replace").splitlines(keepends=True)
    first, limit = number(arguments, "offset", 1), number(arguments, "limit", LINES_DEFAULT)
    if first > max(len(lines), 1):
        return error(f"the file has {len(lines)} lines, so none from {first} on")
    return ToolOutcome(result={**about, **_excerpt(lines, first=first, limit=limit)})


async def read_many_files(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Several files as one result; what does not fit says so."""
    paths = [stored(path) for path in msgspec.convert(arguments["paths"], list[str])]
    found = await context.resources.ask(
        ReadFiles(paths=tuple(paths), bytes_max=HELD_READ_BYTES_MAX)
    )
    room = text.SHOWN_BYTES_MAX
    rows: list[Json] = []
    for part in found.files:
        row = _row(part, room)
        room -= len(str(row.get("content") or "").encode())
        rows.append(row)
    missing = [path for path in paths if _plain(path) not in {p.entry.path for p in found.files}]
    result: Json = {"files": rows}
    if missing:
        result["not_read"] = missing
        result["hint"] = "not there, a directory, or too large: use stat_file or read_file"
    return ToolOutcome(result=result)


async def stat_file(arguments: Json, context: ToolContext) -> ToolOutcome:
    """What is at a path."""
    part = await context.resources.ask(ReadFile(path=stored(arguments["path"]), bytes_max=0))
    more: Json = {} if part.entry.is_directory else {"content_hash": part.content_hash}
    return ToolOutcome(result={**described(part.entry), **more})


def described(entry: FileEntry) -> Json:
    """A file or directory as an agent sees it."""
    return {
        "path": shown(entry.path),
        "type": "directory" if entry.is_directory else "file",
        "size_bytes": entry.size_bytes,
        "is_readonly": entry.is_readonly,
        "created_at_ms": entry.created_ms,
        "updated_at_ms": entry.updated_ms,
    }


async def _whole(part: FilePart, context: ToolContext) -> bytes:
    """All bytes of a file whose first part is here. One that shrinks meanwhile ends early."""
    content = bytearray(part.content)
    while len(content) < part.entry.size_bytes:
        more = await context.resources.ask(
            ReadFile(path=part.entry.path, offset=len(content), bytes_max=HELD_READ_BYTES_MAX)
        )
        if not more.content or more.content_hash != part.content_hash:
            break
        content += more.content
    return bytes(content)


def _excerpt(lines: list[str], *, first: int, limit: int) -> Json:
    kept = text.fitting(lines, first=first, limit=limit)
    result: Json = {"content": kept.text, "total_lines": len(lines), "start_line": first}
    if kept.cut is not None:
        result |= {
            "truncated": True,
            "reason": kept.cut,
            "bytes_returned": len(kept.text.encode()),
            "next_offset": kept.last + 1,
            "resume_hint": f"call read_file again with offset {kept.last + 1}",
        }
    return result


def _row(part: FilePart, room: int) -> Json:
    about: Json = {"path": shown(part.entry.path), "content_hash": part.content_hash}
    if text.is_binary(part.content):
        return {**about, "binary": True, "size_bytes": part.entry.size_bytes}
    if room <= 0:
        return {**about, "truncated": True, "resume_hint": "call read_file"}
    lines = part.content.decode(errors="replace").splitlines(keepends=True)
    kept = text.fitting(lines, first=1, limit=len(lines), room=room)
    row: Json = {**about, "content": kept.text}
    if kept.cut is not None:
        row |= {"truncated": True, "next_offset": kept.last + 1}
    return row


def _plain(path: str) -> str:
    return "/" + path.removeprefix("/workspace/").strip("/")
