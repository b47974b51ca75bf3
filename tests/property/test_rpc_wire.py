"""However the network cuts what was sent, the same frames and messages arrive."""

import asyncio
import contextlib

from hypothesis import given
from hypothesis import strategies as st

from mainspring_rpc.http2 import bounds, wire
from mainspring_rpc.http2.call import Call
from mainspring_rpc.http2.changes import Changes
from mainspring_rpc.http2.headers import HeaderCodec, failed, failure_of, metadata_of, with_metadata
from mainspring_rpc.http2.wire import ConnectionBroken, FrameReader
from mainspring_rpc.status import CallFailed, Status
from tests.property.cutting import pieces

payloads = st.lists(st.binary(max_size=40), max_size=8)
cuts = st.lists(st.integers(1, 30), min_size=1, max_size=20)
names = st.from_regex(r"[a-z][a-z0-9_.-]{0,20}", fullmatch=True).filter(
    lambda name: (
        name not in {"te", "content-type", "user-agent"}
        and not name.startswith("grpc-")
        and not name.endswith("-bin")
    )
)
texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30).map(str.strip)


@given(payloads, cuts)
def test_frames_arrive_whole(sent: list[bytes], sizes: list[int]) -> None:
    data = b"".join(wire.frame(wire.DATA, 0, 1, payload) for payload in sent)
    reader = FrameReader()

    found = [frame for piece in pieces(data, sizes) for frame in reader.feed(piece)]

    assert [frame.payload for frame in found] == sent


@given(st.lists(st.binary(max_size=60), max_size=10))
def test_no_bytes_are_read_as_anything_but_frames_or_a_broken_connection(data: list[bytes]) -> None:
    reader = FrameReader()
    with contextlib.suppress(ConnectionBroken):
        for piece in data:
            for frame in reader.feed(piece):
                assert len(frame.payload) <= bounds.FRAME_BYTES_MAX


class Credits:
    """A connection that counts what it is told of room."""

    def __init__(self) -> None:
        self.writable = True
        self.changes = Changes()
        self.window = wire.STREAM_MASK
        self.frame_bytes = wire.FRAME_BYTES_AT_FIRST
        self.told = 0

    def write(self, data: bytes) -> None:
        (more,) = wire.NUMBER.unpack_from(data, wire.HEAD_BYTES)
        self.told += more

    def left(self, stream: int) -> None:
        del stream


@given(payloads, cuts)
def test_messages_arrive_whole_and_every_byte_makes_room_again(
    sent: list[bytes], sizes: list[int]
) -> None:
    async def take() -> list[bytes | None]:
        line = Credits()
        call = Call(line, 1, 0)
        data = b"".join(wire.PREFIX.pack(0, len(one)) + one for one in sent)
        taken: list[bytes | None] = []
        for piece in pieces(data, sizes):
            call.feed(piece, len(piece))
        taken = [await call.receive() for _ in sent]
        assert line.told + call.owed == len(data)
        return taken

    assert asyncio.run(take()) == sent


@given(st.dictionaries(names, texts, max_size=5), st.binary(max_size=40))
def test_metadata_survives_the_headers(said: dict[str, str], packed: bytes) -> None:
    there, back = HeaderCodec(), HeaderCodec()
    metadata = (*said.items(), ("packed-bin", packed))
    for _ in range(2):
        assert metadata_of(back.decode(there.encode(with_metadata(metadata)))) == metadata


@given(st.sampled_from([status for status in Status if status]), st.text(max_size=60))
def test_a_failure_survives_the_trailers(status: Status, details: str) -> None:
    details = details.encode(errors="replace").decode()
    there, back = HeaderCodec(), HeaderCodec()

    found = failure_of(back.decode(there.encode(failed(CallFailed(status, details)))))

    assert found is not None
    assert (found.status, found.details) == (status, details)
