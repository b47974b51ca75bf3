"""Changes files of the workspace."""

import base64
import binascii
import hashlib

import msgspec

from mainspring_schema.holdings import (
    ChangeFiles,
    CopyFile,
    Edit,
    EditFile,
    FileEntry,
    MoveFile,
    PutFile,
    RemoveFile,
)
from mainspring_schema.messages import Json
from mainspring_worker.adapters.builtin_tools.files.places import shown, stored
from mainspring_worker.adapters.builtin_tools.function import error
from mainspring_worker.ports.tool import ToolContext, ToolOutcome


class _WrittenEdit(msgspec.Struct, frozen=True, kw_only=True):
    old_string: str
    new_string: str
    replace_all: bool = False


async def write_file(arguments: Json, context: ToolContext) -> ToolOutcome:
    """A whole file."""
    content = str(arguments["content"]).encode()
    if arguments.get("encoding") == "base64":
        try:
            content = base64.b64decode(content, validate=True)
        except (binascii.Error, ValueError):
            return error("content is not base64")
    expected = arguments.get("content_hash")
    put = PutFile(
        path=stored(arguments["path"]),
        content=content,
        expected=expected if isinstance(expected, str) else None,
    )
    changed = await context.resources.change(ChangeFiles(changes=(put,)))
    return ToolOutcome(
        result={
            **_where(changed.entries[0]),
            "content_hash": hashlib.sha256(content).hexdigest(),
            "created": changed.created > 0,
        }
    )


async def edit_file(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Pieces of a text file."""
    written = msgspec.convert(arguments["edits"], tuple[_WrittenEdit, ...])
    edited = await context.resources.change(
        EditFile(
            path=stored(arguments["path"]),
            expected=str(arguments["content_hash"]),
            edits=tuple(
                Edit(old=one.old_string, new=one.new_string, every=one.replace_all)
                for one in written
            ),
        )
    )
    result: Json = {
        **_where(edited.entry),
        "content_hash": edited.content_hash,
        "replacements": edited.replacements,
    }
    if edited.rebased:
        result["note"] = "the file had changed since it was read; the edits fitted all the same"
    return ToolOutcome(result=result)


async def move_file(arguments: Json, context: ToolContext) -> ToolOutcome:
    """To another path."""
    move = MoveFile(
        source=stored(arguments["source"]),
        target=stored(arguments["destination"]),
        overwrite=arguments.get("overwrite") is True,
    )
    changed = await context.resources.change(ChangeFiles(changes=(move,)))
    return ToolOutcome(result={**_where(changed.entries[0]), "moved_from": arguments["source"]})


async def copy_file(arguments: Json, context: ToolContext) -> ToolOutcome:
    """To another path, and the source stays."""
    copy = CopyFile(
        source=stored(arguments["source"]),
        target=stored(arguments["destination"]),
        overwrite=arguments.get("overwrite") is True,
    )
    changed = await context.resources.change(ChangeFiles(changes=(copy,)))
    return ToolOutcome(result={**_where(changed.entries[0]), "copied_from": arguments["source"]})


async def delete_file(arguments: Json, context: ToolContext) -> ToolOutcome:
    """A file, or a directory."""
    path = stored(arguments["path"])
    remove = RemoveFile(path=path, recursive=arguments.get("recursive") is True)
    await context.resources.change(ChangeFiles(changes=(remove,)))
    return ToolOutcome(result={"path": arguments["path"], "deleted": True})


def _where(entry: FileEntry | None) -> Json:
    return {} if entry is None else {"path": shown(entry.path), "size_bytes": entry.size_bytes}
