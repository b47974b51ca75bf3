"""Finds lines in files by patterns that always end in bounded time."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from mainspring_api.domain.contents import is_binary
from mainspring_api.domain.resources import File
from mainspring_api.ports.store import Store
from mainspring_harness.globs import to_regex
from mainspring_harness.patterns import BadPattern, Pattern, compiled
from mainspring_kernel.errors import ValidationFailed
from mainspring_kernel.ids import OrgId, WorkspaceId
from mainspring_kernel.limits import MIB

MATCHES_MAX: Final = 1_000
"""Lines of one answer; who gets as many looks for something narrower."""
LINE_CHARS_MAX: Final = 500
"""Of a line that is shown."""
SEARCHED_FILE_BYTES_MAX: Final = MIB
"""Larger files are not looked into, as the agents' own tools do not."""
BATCH_BYTES_MAX: Final = 4 * MIB
"""Content in hand at once."""
TOTAL_BYTES_MAX: Final = 64 * MIB
"""Content of one search."""


class Line(Struct, frozen=True, kw_only=True):
    path: str
    number: int
    text: str


class Found(Struct, frozen=True, kw_only=True):
    """The matching lines of a file."""

    file: File
    lines: tuple[Line, ...]


async def grep(
    store: Store, org_id: OrgId, owner: WorkspaceId, pattern: str, path_pattern: str | None
) -> list[Found]:
    """By path. Raises ValidationFailed for a pattern that cannot be searched with.

    Contents are read batch by batch, so no transaction lasts as long as the search.
    """
    wanted = _compiled(pattern)
    places = _compiled(to_regex(path_pattern)) if path_pattern else None
    async with store.transaction(org_id) as tx:
        there = await tx.files(owner)
    found: list[Found] = []
    left = MATCHES_MAX
    for batch in _batches([file for file in there if _is_searched(file, places)]):
        async with store.transaction(org_id) as tx:
            files = await tx.files_at(owner, batch)
        # The search lets go of the interpreter's lock; other requests go on meanwhile.
        some = await asyncio.to_thread(_searched, files, wanted, left)
        found += some
        left -= sum(len(one.lines) for one in some)
        if left <= 0:
            break
    return found


def _compiled(pattern: str) -> Pattern:
    try:
        return compiled(pattern)
    except BadPattern as problem:
        msg = f"this is no pattern to search with: {problem}"
        raise ValidationFailed(msg) from problem


def _is_searched(file: File, places: Pattern | None) -> bool:
    return (
        not file.is_directory
        and file.size_bytes <= SEARCHED_FILE_BYTES_MAX
        and (places is None or places.search(file.path.removeprefix("/")) is not None)
    )


def _batches(files: Sequence[File]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = total = 0
    for file in files:
        if batch and size + file.size_bytes > BATCH_BYTES_MAX:
            yield batch
            batch, size = [], 0
        total += file.size_bytes
        if total > TOTAL_BYTES_MAX:
            break
        batch.append(file.path)
        size += file.size_bytes
    if batch:
        yield batch


def _searched(files: Sequence[File], wanted: Pattern, left: int) -> list[Found]:
    found: list[Found] = []
    for file in sorted(files, key=lambda one: one.path):
        lines = tuple(_lines(file, wanted, left))
        left -= len(lines)
        if lines:
            found.append(Found(file=file, lines=lines))
        if left <= 0:
            break
    return found


def _lines(file: File, wanted: Pattern, left: int) -> Iterator[Line]:
    content = file.content or b""
    if is_binary(content):
        return
    for number, line in enumerate(content.decode(errors="replace").splitlines(), start=1):
        if left <= 0:
            return
        if wanted.search(line) is not None:
            left -= 1
            yield Line(path=file.path, number=number, text=line[:LINE_CHARS_MAX])
