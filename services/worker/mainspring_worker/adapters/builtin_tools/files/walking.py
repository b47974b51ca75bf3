"""Files below a directory, some at a time."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Final

from mainspring_harness.calling import SessionResources
from mainspring_harness.patterns import Pattern
from mainspring_kernel.limits import MIB
from mainspring_schema.holdings import FileEntry, FilePart, ListFiles, ReadFiles
from mainspring_schema.limits import HELD_LISTING_ROWS_MAX
from mainspring_worker.adapters.builtin_tools.files.places import stored

SEARCHED_FILE_BYTES_MAX: Final = 1 * MIB
"""A larger file is no text that somebody wrote; searching leaves it out and says so."""
_BATCH_BYTES: Final = 2 * MIB
"""Of the files that are searched by one question."""
_BATCH_FILES: Final = 500
"""Of one question: each brings its path and its hash along, and all of it is one rpc message."""


async def entries(
    resources: SessionResources, path: object, *, recursive: bool
) -> AsyncIterator[FileEntry]:
    """By path. Raises NotFound, ValidationFailed."""
    question = ListFiles(path=stored(path), recursive=recursive, limit=HELD_LISTING_ROWS_MAX)
    while True:
        page = await resources.ask(question)
        for entry in page.entries:
            yield entry
        if page.next is None:
            return
        question = ListFiles(
            path=question.path,
            recursive=recursive,
            after=page.next,
            limit=HELD_LISTING_ROWS_MAX,
        )


async def matching(
    resources: SessionResources, path: object, wanted: Pattern | None
) -> list[FileEntry]:
    """Files below a path whose own path fits. A path that is a file is that file."""
    return [
        entry
        async for entry in entries(resources, path, recursive=True)
        if not entry.is_directory and (wanted is None or wanted.search(entry.path[1:]))
    ]


async def contents(
    resources: SessionResources, files: Sequence[FileEntry]
) -> AsyncIterator[FilePart]:
    """Whole files, read in batches; those over the bound are left out."""
    searched = [entry for entry in files if entry.size_bytes <= SEARCHED_FILE_BYTES_MAX]
    for paths in batches(searched, bytes_max=_BATCH_BYTES):
        found = await resources.ask(ReadFiles(paths=paths, bytes_max=_BATCH_BYTES))
        for part in found.files:
            yield part


def batches(files: Iterable[FileEntry], *, bytes_max: int) -> Iterator[tuple[str, ...]]:
    """The paths to read by one question each; a file over the bound is asked for alone."""
    batch: list[str] = []
    size = 0
    for entry in files:
        full = size + entry.size_bytes > bytes_max or len(batch) >= _BATCH_FILES
        if batch and full:
            yield tuple(batch)
            batch, size = [], 0
        batch.append(entry.path)
        size += entry.size_bytes
    if batch:
        yield tuple(batch)
