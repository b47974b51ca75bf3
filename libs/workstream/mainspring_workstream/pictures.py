"""Images that tools give. Pure."""

from base64 import b64decode
from typing import Final, NamedTuple

from mainspring_schema.messages import ImagePart, Json

_SIGNATURES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_SIGNATURE_BYTES: Final = 12


class Picture(NamedTuple):
    """An image with the type that its bytes say."""

    part: ImagePart
    media_type: str
    content: bytes


def read(base64: str) -> Picture | None:
    """None for what not every provider reads.

    A result stands in its session for good: an image that is refused would fail each later turn.
    """
    try:
        content = b64decode(base64, validate=True)
    except ValueError:
        return None
    media_type = media_type_of(content)
    if media_type is None:
        return None
    return Picture(ImagePart(base64=base64, media_type=media_type), media_type, content)


def media_type_of(content: bytes) -> str | None:
    """Of the four that every provider reads: PNG, JPEG, GIF and WebP; None for all others."""
    if len(content) <= _SIGNATURE_BYTES:
        return None
    if content.startswith(b"RIFF") and content[8:_SIGNATURE_BYTES] == b"WEBP":
        return "image/webp"
    return next((kind for sign, kind in _SIGNATURES if content.startswith(sign)), None)


def named(media_type: str, size: int) -> Json:
    """What stands in a result's text for an image of so many bytes."""
    return {"type": "image", "media_type": media_type, "bytes": size}
