"""Files that a capability brings into the workspaces of the agents that have it."""

import base64
import binascii
from collections.abc import Iterable, Iterator

from mainspring_kernel.toolset_limits import MOUNTS_BYTES_MAX, MOUNTS_MAX
from mainspring_schema.agents import InitialFile
from mainspring_schema.limits import PATH_BYTES_MAX


def problems(files: Iterable[InitialFile]) -> Iterator[str]:
    """What is wrong with them."""
    found, paths = tuple(files), set[str]()
    if len(found) > MOUNTS_MAX:
        yield f"it mounts more than {MOUNTS_MAX} files"
    total = 0
    for file in found:
        if not _is_whole(file.path):
            yield f"it mounts at {file.path[:80]!r}: a path begins with / and has no empty, . or .."
        if file.path in paths:
            yield f"it mounts two files at {file.path[:80]!r}"
        paths.add(file.path)
        try:
            total += len(content_of(file))
        except ValueError:
            yield f"what it mounts at {file.path[:80]!r} is not base64"
    if total > MOUNTS_BYTES_MAX:
        yield f"its files have {total} bytes, at most {MOUNTS_BYTES_MAX}"


def content_of(file: InitialFile) -> bytes:
    """Raises ValueError for base64 that is none."""
    if file.encoding == "text":
        return file.content.encode()
    try:
        return base64.b64decode(file.content, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error


def _is_whole(path: str) -> bool:
    parts = path.split("/")
    if len(path.encode()) > PATH_BYTES_MAX or "\x00" in path or "\\" in path:
        return False
    return parts[0] == "" and len(parts) > 1 and not {"", ".", ".."}.intersection(parts[1:])
