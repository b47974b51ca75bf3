"""gRPC's headers and trailers: what a call asks for, and how it ended."""

import base64
import binascii
from collections.abc import Sequence
from typing import Final, TypeAlias
from urllib.parse import quote, unquote

from hpack import Decoder, Encoder, HeaderTuple, HPACKError, NeverIndexedHeaderTuple

from mainspring_rpc.http2 import bounds
from mainspring_rpc.http2.wire import Code, ConnectionBroken
from mainspring_rpc.status import CallFailed, Metadata, Status

Headers: TypeAlias = Sequence[tuple[str, str] | HeaderTuple]

CONTENT_TYPE: Final = "application/grpc"
ANSWER: Final[Headers] = ((":status", "200"), ("content-type", CONTENT_TYPE))
DONE: Final[Headers] = (("grpc-status", "0"),)
_TABLE_BYTES_MAX: Final = 4_096
_RESERVED: Final = frozenset({"te", "content-type", "user-agent"})
_SAFE: Final = " !\"#$&'()*+,/:;<=>?@[\\]^`{|}~"
"""What `grpc-message` shows as it is: all that is printable but the percent sign."""
_BY_HTTP: Final = {
    "400": Status.INTERNAL,
    "401": Status.UNAUTHENTICATED,
    "403": Status.PERMISSION_DENIED,
    "404": Status.UNIMPLEMENTED,
    "429": Status.UNAVAILABLE,
    "502": Status.UNAVAILABLE,
    "503": Status.UNAVAILABLE,
    "504": Status.UNAVAILABLE,
}
"""Of an answer that gRPC did not give, a proxy's for example."""
_BY_GRPC: Final = {str(int(status)): status for status in Status}


class HeaderCodec:
    """The two ends of one connection's compression; every block must pass, in order."""

    def __init__(self) -> None:
        self._encoder = Encoder()
        self._decoder = Decoder(max_header_list_size=bounds.CALL_HEADERS_BYTES_MAX)

    def encode(self, headers: Headers) -> bytes:
        """A header block."""
        return self._encoder.encode(headers)

    def limit_table(self, size: int) -> None:
        """The peer remembers so many bytes of headers; never more than HTTP/2's own default."""
        self._encoder.header_table_size = min(size, _TABLE_BYTES_MAX)

    def decode(self, block: bytes) -> dict[str, str]:
        """Raises ConnectionBroken where the block cannot be read or is over the bound."""
        try:
            return {str(name): str(value) for name, value in self._decoder.decode(block)}
        except (HPACKError, UnicodeDecodeError) as error:
            raise ConnectionBroken(Code.COMPRESSION_ERROR, str(error)) from error


def request(path: str, authority: str) -> Headers:
    """What every call of one method begins with."""
    return (
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", authority),
        ("te", "trailers"),
        ("content-type", CONTENT_TYPE),
        ("user-agent", "grpc-mainspring"),
    )


def with_metadata(metadata: Metadata) -> Headers:
    """Metadata as headers. None of them are kept in tables: each call has others."""
    return tuple(
        NeverIndexedHeaderTuple(
            name, value if isinstance(value, str) else base64.b64encode(value).decode()
        )
        for name, value in metadata
    )


def metadata_of(headers: dict[str, str]) -> Metadata:
    """What is metadata among headers. Binary values that cannot be read are left out."""
    found: list[tuple[str, str | bytes]] = []
    for name, value in headers.items():
        if name.startswith((":", "grpc-")) or name in _RESERVED:
            continue
        if not name.endswith("-bin"):
            found.append((name, value))
            continue
        try:
            found.append((name, base64.b64decode(value + "=" * (-len(value) % 4), validate=True)))
        except binascii.Error:
            continue
    return tuple(found)


def failed(failure: CallFailed) -> Headers:
    """The trailers of a call that failed."""
    return (
        ("grpc-status", str(int(failure.status))),
        ("grpc-message", quote(failure.details, safe=_SAFE)),
        *with_metadata(failure.metadata),
    )


def failure_of(trailers: dict[str, str]) -> CallFailed | None:
    """How trailers, or headers that are all there is, say that a call ended; None: well."""
    said = trailers.get("grpc-status")
    if said is None:
        by_http = _BY_HTTP.get(trailers.get(":status", ""), Status.UNKNOWN)
        return CallFailed(by_http, "the answer has no grpc-status")
    if said == "0":
        return None
    return CallFailed(
        _BY_GRPC.get(said, Status.UNKNOWN),
        unquote(trailers.get("grpc-message", ""), errors="replace"),
        metadata_of(trailers),
    )
