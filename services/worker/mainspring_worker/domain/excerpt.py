"""What stands in an event for a result that is too large to stand there itself. Pure."""

from msgspec import Struct

from mainspring_kernel.limits import TOOL_RESULT_BYTES_MAX
from mainspring_schema.codec import to_json
from mainspring_schema.messages import Json
from mainspring_worker.domain.limits import TRUNCATED_PREVIEW_BYTES

FOLDER = "/outputs"
"""Where whole results are kept in a workspace."""


PREVIEW_SHARE = 4
"""A result that is cut shows one part of so many of what it might have had."""


class Whole(Struct, frozen=True, kw_only=True):
    """A result as a file: its text, or what of it is kept."""

    text: str
    content: bytes
    suffix: str
    bytes_total: int


def whole(value: object, encoded: bytes) -> Whole:
    """`encoded` is the JSON of the value. A string is kept as it is, anything else as JSON."""
    text = value if isinstance(value, str) else encoded.decode()
    full = text.encode()
    content = _cut(full, TOOL_RESULT_BYTES_MAX)
    json = not isinstance(value, str) and len(content) == len(full)
    return Whole(
        text=text,
        content=content,
        suffix="json" if json else "txt",
        bytes_total=len(full),
    )


def excerpt(
    of: Whole, *, kept_at: str | None, preview_bytes: int = TRUNCATED_PREVIEW_BYTES
) -> Json:
    """What the model sees: the beginning, and where the rest is, if it was kept."""
    preview = _preview(of.text, preview_bytes)
    shown = len(preview.encode())
    said: Json = {
        "truncated": True,
        "reason": "size_cap",
        "bytes_total": of.bytes_total,
        "bytes_returned": shown,
        "preview": preview,
    }
    if kept_at is None:
        said["note"] = f"only the first {shown} bytes are shown; the rest could not be kept"
        return said
    said["output_file"] = kept_at
    part = "whole result" if len(of.content) == of.bytes_total else "beginning of the result"
    said["note"] = (
        f"only the first {shown} bytes are shown; the {part} ({len(of.content)} bytes) "
        f"is in the workspace file {kept_at}"
    )
    return said


def unshown(place: int, what: Json, *, kept_at: str | None) -> Json:
    """What the model reads of an image that has no room; `place` counts from 1."""
    told: Json = {"image": place} | what
    if kept_at is None:
        return told | {"note": "too large to be shown; it could not be kept"}
    return told | {"output_file": kept_at, "note": "too large to be shown; it is in that file"}


def _preview(text: str, bytes_max: int) -> str:
    """The beginning, short enough also where every character is escaped."""
    chars = bytes_max
    while len(to_json(text[:chars])) > bytes_max:
        chars = chars * 3 // 4
    return text[:chars]


def _cut(data: bytes, limit: int) -> bytes:
    """At most that many bytes, without half a character at the end."""
    return data if len(data) <= limit else data[:limit].decode(errors="ignore").encode()
