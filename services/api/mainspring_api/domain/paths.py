"""Paths of workspace files: absolute, one spelling each, never outside."""

from collections.abc import Collection
from typing import Final

from mainspring_kernel.errors import ValidationFailed
from mainspring_schema.limits import PATH_BYTES_MAX

_MOUNT: Final = "/workspace"
"""What agents see; clients write paths with or without it."""


def normalise(path: str) -> str:
    """`/a/b` for `a/b`, `/a/b` and `/workspace/a/b`; `/` for the root.

    Raises ValidationFailed for `..`, `.`, empty parts, NUL and overlong paths.
    """
    if len(path.encode()) > PATH_BYTES_MAX or "\x00" in path or "\\" in path:
        msg = "a path is too long or holds a forbidden character"
        raise ValidationFailed(msg)
    if path == _MOUNT or path.startswith(f"{_MOUNT}/"):
        path = path[len(_MOUNT) :]
    parts = path.removeprefix("/").removesuffix("/").split("/")
    if parts == [""]:
        return "/"
    if any(part in {"", ".", ".."} for part in parts):
        msg = f"not a path inside the workspace: {path[:64]!r}"
        raise ValidationFailed(msg)
    return "/" + "/".join(parts)


def ancestors(path: str) -> tuple[str, ...]:
    """The directories above `path`, outermost first, the root left out."""
    parts = path.strip("/").split("/")[:-1]
    return tuple("/" + "/".join(parts[: depth + 1]) for depth in range(len(parts)))


def directories(files: Collection[str]) -> tuple[str, ...]:
    """Those above normalised paths of files. Raises ValidationFailed where one is itself a file."""
    found = tuple(dict.fromkeys(above for path in files for above in ancestors(path)))
    for above in found:
        if above in files:
            msg = f"{above} is to be a file and a directory"
            raise ValidationFailed(msg)
    return found


def is_directly_in(path: str, directory: str) -> bool:
    return path.rpartition("/")[0] == directory.rstrip("/")


def is_below(path: str, directory: str) -> bool:
    return path.startswith(directory.rstrip("/") + "/")
