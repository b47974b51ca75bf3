"""HTTP/2's frames as bytes (RFC 9113), and gRPC's prefix of a message."""

from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple, cast

from mainspring_rpc.http2 import bounds

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client says first."""

DATA: Final = 0
HEADERS: Final = 1
RST_STREAM: Final = 3
SETTINGS: Final = 4
PUSH_PROMISE: Final = 5
PING: Final = 6
GOAWAY: Final = 7
WINDOW_UPDATE: Final = 8
CONTINUATION: Final = 9

ACK: Final = 0x1
END_STREAM: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
HAS_PRIORITY: Final = 0x20

STREAM_MASK: Final = 0x7FFF_FFFF
"""Also the largest window and the largest stream."""
WINDOW_AT_FIRST: Final = 65_535
FRAME_BYTES_AT_FIRST: Final = 16_384

HEAD: Final = Struct(">HBBBL")
"""Length in two parts, kind, flags, stream."""
HEAD_BYTES: Final = 9
PING_BYTES: Final = 8
PREFIX: Final = Struct(">BL")
"""Whether a message is compressed, and its length."""
PREFIX_BYTES: Final = 5
NUMBER: Final = Struct(">L")
SETTING: Final = Struct(">HL")
GONE: Final = Struct(">LL")


class Code(IntEnum):
    """Why a stream or a connection was ended."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11


class Setting(IntEnum):
    """What one end tells the other about itself."""

    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


class ConnectionBroken(Exception):
    """The peer said what it must not; nothing that follows can be read."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code


class Frame(NamedTuple):
    """One frame that was read."""

    kind: int
    flags: int
    stream: int
    payload: bytes


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A frame as it travels."""
    length = len(payload)
    return HEAD.pack(length >> 8, length & 0xFF, kind, flags, stream) + payload


def message_frame(stream: int, message: bytes, *, last: bool) -> bytes:
    """A whole message in one frame, of which its sender knows that it fits."""
    size = len(message)
    length = size + PREFIX_BYTES
    head = HEAD.pack(length >> 8, length & 0xFF, DATA, END_STREAM if last else 0, stream)
    return b"".join((head, PREFIX.pack(0, size), message))


def settings(values: dict[Setting, int]) -> bytes:
    """A SETTINGS frame."""
    return frame(SETTINGS, 0, 0, b"".join(SETTING.pack(*pair) for pair in values.items()))


def window_update(stream: int, more: int) -> bytes:
    """Tells that so many bytes more may come; stream 0 is the connection."""
    return frame(WINDOW_UPDATE, 0, stream, NUMBER.pack(more))


def reset(stream: int, code: Code) -> bytes:
    """Ends one stream."""
    return frame(RST_STREAM, 0, stream, NUMBER.pack(code))


def goaway(last: int, code: Code, text: str = "") -> bytes:
    """Tells that no stream after `last` will be answered."""
    return frame(GOAWAY, 0, 0, GONE.pack(last, code) + text.encode())


class FrameReader:
    """Cuts what arrives into frames; keeps the beginning of one that is not whole."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._wanted = 0
        """Bytes of the kept frame before it is worth looking at again."""

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are whole now. Raises ConnectionBroken for one over the bound."""
        if self._kept:
            self._kept += data
            if len(self._kept) < self._wanted:
                return []
            data = bytes(self._kept)
            self._kept.clear()
        found: list[Frame] = []
        at, end = 0, len(data)
        while end - at >= HEAD_BYTES:
            head = cast("tuple[int, int, int, int, int]", HEAD.unpack_from(data, at))
            length = head[0] << 8 | head[1]
            if length > bounds.FRAME_BYTES_MAX:
                raise ConnectionBroken(Code.FRAME_SIZE_ERROR, f"a frame of {length} bytes")
            stop = at + HEAD_BYTES + length
            if stop > end:
                self._keep(data, at, stop - at)
                return found
            payload = data[at + HEAD_BYTES : stop]
            found.append(Frame(head[2], head[3], head[4] & STREAM_MASK, payload))
            at = stop
        if at < end:
            self._keep(data, at, HEAD_BYTES)
        return found

    def _keep(self, data: bytes, at: int, wanted: int) -> None:
        self._kept += data[at:]
        self._wanted = wanted


def without_padding(flags: int, payload: bytes) -> bytes:
    """What a DATA or HEADERS frame holds, its priority still before it. Raises ConnectionBroken."""
    if not flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise ConnectionBroken(Code.PROTOCOL_ERROR, "padding longer than its frame")
    return payload[1 : len(payload) - payload[0]]
