"""The files of a workspace in memory for a script, and what the script made of them.

A script works on a copy. What it changed is written back as one order, each file on the content
that was read: a change of somebody else meanwhile refuses it all, and nothing is half done.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

from mainspring_harness.calling import SessionResources
from mainspring_kernel.errors import PayloadTooLarge
from mainspring_kernel.limits import MIB
from mainspring_schema.holdings import (
    FileEntry,
    MakeDirectory,
    PutFile,
    ReadFiles,
    RemoveFile,
)
from mainspring_schema.limits import FILE_CHANGES_MAX, HELD_READ_BYTES_MAX
from mainspring_worker.adapters.builtin_tools.files.walking import batches, entries

TREE_BYTES_MAX: Final = 32 * MIB
"""Of all files that a script is given; the largest ones are left out first."""


Change = PutFile | RemoveFile | MakeDirectory


class Tree(Struct, frozen=True, kw_only=True):
    """Paths without mount. `left_out` are files that were too large to give to a script."""

    files: Mapping[str, bytes]
    directories: frozenset[str] = frozenset()
    left_out: tuple[str, ...] = ()


async def load(resources: SessionResources) -> Tree:
    """All of the workspace that fits."""
    listed = [entry async for entry in entries(resources, "/", recursive=True)]
    fitting, left_out = _fitting([entry for entry in listed if not entry.is_directory])
    files: dict[str, bytes] = {}
    for batch in batches(fitting, bytes_max=HELD_READ_BYTES_MAX):
        found = await resources.ask(ReadFiles(paths=batch, bytes_max=HELD_READ_BYTES_MAX))
        files.update((part.entry.path, part.content) for part in found.files)
    return Tree(
        files=files,
        directories=frozenset(entry.path for entry in listed if entry.is_directory),
        left_out=left_out,
    )


def changes(before: Tree, after: Tree) -> tuple[Change, ...]:
    """What makes `before` into `after`. Raises PayloadTooLarge where that is too much for once."""
    found = tuple(_changes(before, after))
    size = sum(len(change.content) for change in found if isinstance(change, PutFile))
    if size > HELD_READ_BYTES_MAX or len(found) > FILE_CHANGES_MAX:
        what = f"what one script changes ({FILE_CHANGES_MAX} files at most)"
        raise PayloadTooLarge(what, HELD_READ_BYTES_MAX)
    return found


def _changes(before: Tree, after: Tree) -> Iterator[Change]:
    for path in sorted(before.files.keys() - after.files.keys()):
        yield RemoveFile(path=path, expected=content_hash(before.files[path]))
    # Deepest first: each is empty by then, or somebody else put something there.
    for path in sorted(before.directories - after.directories, reverse=True):
        yield RemoveFile(path=path)
    for path in sorted(after.directories - before.directories):
        yield MakeDirectory(path=path)
    for path, content in sorted(after.files.items()):
        old = before.files.get(path)
        if old != content:
            yield PutFile(
                path=path, content=content, expected="" if old is None else content_hash(old)
            )


def content_hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _fitting(files: list[FileEntry]) -> tuple[list[FileEntry], tuple[str, ...]]:
    room = TREE_BYTES_MAX
    fitting: list[FileEntry] = []
    for entry in sorted(files, key=lambda entry: entry.size_bytes):
        if entry.size_bytes > HELD_READ_BYTES_MAX or entry.size_bytes > room:
            break
        room -= entry.size_bytes
        fitting.append(entry)
    kept = {entry.path for entry in fitting}
    return fitting, tuple(sorted(entry.path for entry in files if entry.path not in kept))
