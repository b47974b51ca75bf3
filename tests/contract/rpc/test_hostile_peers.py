"""A peer that breaks the protocol loses its own connection, and nobody else's call."""

import asyncio
from collections.abc import AsyncGenerator, Callable

import pytest

from mainspring_kernel import limits
from mainspring_rpc.http2 import bounds, wire
from mainspring_rpc.http2.headers import ANSWER, DONE, Headers, request
from mainspring_rpc.http2.wire import Code, Setting
from mainspring_rpc.status import CallFailed, Status
from tests.contract.rpc.ends import STREAM, UNARY, Answers, Talk, echo, our_client, our_server
from tests.contract.rpc.raw import WAIT_S, Raw, raw_client, raw_server

Attack = Callable[[Raw], None]


async def hold(talk: Talk) -> None:
    """A handler that reads nothing."""
    del talk
    await asyncio.Event().wait()


@pytest.fixture
async def address() -> AsyncGenerator[str]:
    async with our_server(Answers(echo, hold)) as found:
        yield found


def block(peer: Raw, flags: int, payload: bytes, kind: int = wire.HEADERS) -> None:
    peer.say(wire.frame(kind, flags, 1, payload))


def begun(peer: Raw) -> None:
    peer.headers(1, request(STREAM, "here"))


def after_the_end(peer: Raw) -> None:
    begun(peer)
    peer.say(wire.message_frame(1, b"last", last=True) + wire.message_frame(1, b"x", last=True))


def over_the_window(peer: Raw) -> None:
    begun(peer)
    peer.say(wire.message_frame(1, b"x" * 16_000, last=False) * (bounds.WINDOW_BYTES // 16_000 + 1))


def headers_without_end(peer: Raw) -> None:
    block(peer, 0, b"\0\1a\1b")
    for _ in range(10):
        block(peer, 0, b"\0\1a\1b" * 1_000, wire.CONTINUATION)


def headers_interrupted(peer: Raw) -> None:
    block(peer, 0, b"\0\1a\1b")
    peer.say(wire.settings({}))


def headers_within_a_call(peer: Raw) -> None:
    begun(peer)
    begun(peer)


def too_much_padding(peer: Raw) -> None:
    begun(peer)
    peer.say(wire.frame(wire.DATA, wire.PADDED, 1, b"\x09x"))


def pings_without_reading(peer: Raw) -> None:
    """Its own system must be full before ours is: the answers are as long as the questions."""
    peer.say(wire.frame(wire.PING, 0, 0, b"xxxxxxxx") * 2_400_000)


ATTACKS: dict[str, tuple[Attack, Code]] = {
    "frames over the bound": (
        lambda peer: peer.say(wire.HEAD.pack(0xFFFF, 0xFF, wire.DATA, 0, 1)),
        Code.FRAME_SIZE_ERROR,
    ),
    "headers that are no headers": (
        lambda peer: block(peer, wire.END_HEADERS, b"\xff" * 40),
        Code.COMPRESSION_ERROR,
    ),
    "headers larger than the bound once they are unpacked": (
        lambda peer: peer.headers(1, (("a", "x" * 4_000),) * 5),
        Code.COMPRESSION_ERROR,
    ),
    "headers that never end": (headers_without_end, Code.ENHANCE_YOUR_CALM),
    "headers that another frame interrupts": (headers_interrupted, Code.PROTOCOL_ERROR),
    "the rest of headers that never began": (
        lambda peer: block(peer, wire.END_HEADERS, b"", wire.CONTINUATION),
        Code.PROTOCOL_ERROR,
    ),
    "a call with a server's number": (
        lambda peer: peer.headers(2, request(UNARY, "here")),
        Code.PROTOCOL_ERROR,
    ),
    "headers within a call": (headers_within_a_call, Code.PROTOCOL_ERROR),
    "a push": (
        lambda peer: peer.say(wire.frame(wire.PUSH_PROMISE, wire.END_HEADERS, 1, b"\0\0\0\2")),
        Code.PROTOCOL_ERROR,
    ),
    "padding longer than its frame": (too_much_padding, Code.PROTOCOL_ERROR),
    "data after the end of a call": (after_the_end, Code.STREAM_CLOSED),
    "more than the window of a call": (over_the_window, Code.FLOW_CONTROL_ERROR),
    "a window without end": (
        lambda peer: peer.say(wire.window_update(0, wire.STREAM_MASK)),
        Code.FLOW_CONTROL_ERROR,
    ),
    "a window that grows by nothing": (
        lambda peer: peer.say(wire.window_update(0, 0)),
        Code.FLOW_CONTROL_ERROR,
    ),
    "a window of a wrong length": (
        lambda peer: peer.say(wire.frame(wire.WINDOW_UPDATE, 0, 0, b"\0\0\1")),
        Code.FRAME_SIZE_ERROR,
    ),
    "settings of a wrong length": (
        lambda peer: peer.say(wire.frame(wire.SETTINGS, 0, 0, b"\0\1\0")),
        Code.FRAME_SIZE_ERROR,
    ),
    "a first window over the bound": (
        lambda peer: peer.say(wire.settings({Setting.INITIAL_WINDOW_SIZE: 1 << 31})),
        Code.FLOW_CONTROL_ERROR,
    ),
    "frames too small to be allowed": (
        lambda peer: peer.say(wire.settings({Setting.MAX_FRAME_SIZE: 1})),
        Code.PROTOCOL_ERROR,
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
async def test_a_client_that_breaks_the_protocol_is_told_why_and_left(
    address: str, name: str
) -> None:
    attack, code = ATTACKS[name]
    async with our_client(address) as other, raw_client(address) as peer:
        assert await other.ask(b"before") == b"before"
        attack(peer)

        assert await peer.farewell() == code
        assert await other.ask(b"after") == b"after"


@pytest.mark.parametrize(
    "said", [b"GET / HTTP/1.1\r\nHost: here\r\n\r\n", b"\x16\x03\x01\x02\x00\x01"]
)
async def test_a_client_that_speaks_something_else_is_left(address: str, said: bytes) -> None:
    async with raw_client(address, greets=False) as peer:
        peer.say(said)

        assert await peer.farewell() == Code.PROTOCOL_ERROR


async def test_a_greeting_may_come_byte_by_byte(address: str) -> None:
    async with raw_client(address, greets=False) as peer:
        for byte in wire.PREFACE + wire.settings({}):
            peer.say(bytes([byte]))
            await asyncio.sleep(0)
        peer.ask(1)

        assert await peer.answered(1) == b"hello"


async def test_who_floods_with_pings_and_reads_no_answer_is_left(address: str) -> None:
    async with our_client(address) as other, raw_client(address) as peer:
        assert await other.ask(b"before") == b"before"  # connecting has a bound, the flood is long
        pings_without_reading(peer)
        assert await other.ask(b"meanwhile") == b"meanwhile"
        await peer.taken()  # whoever reads the answers before frees the room that they lack

        assert await peer.farewell() in {Code.ENHANCE_YOUR_CALM, None}
        assert await other.ask(b"after") == b"after"


async def test_calls_that_are_begun_and_reset_again_leave_nothing_behind(address: str) -> None:
    async with raw_client(address) as peer:
        for stream in range(1, 20_001, 2):
            peer.headers(stream, request(STREAM, "here"))
            peer.say(wire.reset(stream, Code.CANCEL))
        answers: list[bytes] = []
        stream = 20_001
        while not answers:  # it is refused while the handlers of the others still end
            peer.ask(stream)
            found = await peer.frame(wire.DATA, wire.RST_STREAM)
            while found is not None and found.stream != stream:
                found = await peer.frame(wire.DATA, wire.RST_STREAM)
            assert found is not None
            if found.kind == wire.DATA:
                answers.append(found.payload[wire.PREFIX_BYTES :])
            stream += 2
        assert answers == [b"hello"]


async def test_calls_over_the_bound_are_refused_one_by_one(address: str) -> None:
    async with raw_client(address) as peer:
        last = 2 * bounds.CALLS_MAX + 1
        for stream in range(1, last + 1, 2):
            peer.headers(stream, request(STREAM, "here"))

        refused = await peer.frame(wire.RST_STREAM)
        assert refused is not None
        assert (refused.stream, int.from_bytes(refused.payload)) == (last, Code.REFUSED_STREAM)


@pytest.mark.parametrize(
    ("prefix", "status"),
    [
        (wire.PREFIX.pack(1, 5), Status.UNIMPLEMENTED),
        (wire.PREFIX.pack(0, limits.RPC_MESSAGE_BYTES_MAX + 1), Status.RESOURCE_EXHAUSTED),
    ],
    ids=["compressed", "too large"],
)
async def test_a_message_that_is_not_read_fails_its_call_alone(
    address: str, prefix: bytes, status: Status
) -> None:
    async with raw_client(address) as peer:
        peer.headers(1, request(UNARY, "here"))
        peer.say(wire.frame(wire.DATA, 0, 1, prefix + b"12345"))
        await peer.frame(wire.HEADERS)
        ((_, said),) = peer.heard
        assert said["grpc-status"] == str(int(status))

        peer.ask(3)
        assert await peer.answered(3) == b"hello"


async def test_a_call_of_another_kind_is_refused_and_one_without_a_message_fails(
    address: str,
) -> None:
    async with raw_client(address) as peer:
        peer.headers(1, ((":method", "GET"), (":path", UNARY)), last=True)
        await peer.frame(wire.HEADERS)
        assert peer.heard == [(1, {":status": "415"})]

        peer.ask(3)
        assert await peer.answered(3) == b"hello"


# ── servers ─────────────────────────────────────────────────────────────────────────────────────

OTHER: Headers = ((":status", "200"), ("content-type", "text/html"))


def without_trailers(peer: Raw) -> None:
    peer.headers(1, ANSWER)
    peer.say(wire.message_frame(1, b"hello", last=True))


def two_answers(peer: Raw) -> None:
    peer.headers(1, ANSWER)
    peer.say(wire.message_frame(1, b"a", last=False) + wire.message_frame(1, b"b", last=False))
    peer.headers(1, DONE, last=True)


def no_answer(peer: Raw) -> None:
    peer.headers(1, (*ANSWER, *DONE), last=True)


def of_a_proxy(peer: Raw) -> None:
    peer.headers(1, ((":status", "503"), ("content-type", "text/html")))


def no_grpc(peer: Raw) -> None:
    peer.headers(1, OTHER)


def unknown_status(peer: Raw) -> None:
    peer.headers(1, (*ANSWER, ("grpc-status", "99")), last=True)


def no_number(peer: Raw) -> None:
    peer.headers(1, ((":status", "\u00b2"),), last=True)


def endless_number(peer: Raw) -> None:
    peer.headers(1, (*ANSWER, ("grpc-status", "9" * 5_000)), last=True)


def headers_twice(peer: Raw) -> None:
    peer.headers(1, ANSWER)
    peer.headers(1, ANSWER)


def refused(peer: Raw) -> None:
    peer.say(wire.reset(1, Code.REFUSED_STREAM))


def to_no_call(peer: Raw) -> None:
    peer.headers(7, ANSWER)


def farewell(peer: Raw) -> None:
    peer.say(wire.goaway(0, Code.NO_ERROR, "maintenance"))


WRONG_ANSWERS: dict[str, tuple[Attack, Status]] = {
    "without trailers": (without_trailers, Status.INTERNAL),
    "of two messages": (two_answers, Status.INTERNAL),
    "of no message": (no_answer, Status.INTERNAL),
    "of a proxy": (of_a_proxy, Status.UNAVAILABLE),
    "that is no gRPC": (no_grpc, Status.UNKNOWN),
    "with a status that nobody knows": (unknown_status, Status.UNKNOWN),
    "with a status that is no number": (no_number, Status.UNKNOWN),
    "with a number that no machine reads": (endless_number, Status.UNKNOWN),
    "with headers twice": (headers_twice, Status.INTERNAL),
    "refused": (refused, Status.UNAVAILABLE),
    "to no call": (to_no_call, Status.UNAVAILABLE),
    "a farewell": (farewell, Status.UNAVAILABLE),
}


@pytest.mark.parametrize("name", WRONG_ANSWERS)
async def test_a_wrong_answer_fails_its_call(name: str) -> None:
    attack, status = WRONG_ANSWERS[name]

    async def answer(peer: Raw) -> None:
        await peer.frame(wire.DATA)
        attack(peer)
        await peer.frame()

    async with raw_server(answer) as address, our_client(address) as client:
        with pytest.raises(CallFailed) as caught:
            await client.ask(b"hello", timeout_s=WAIT_S)

    assert caught.value.status is status


async def test_a_peer_that_falls_silent_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RPC_KEEPALIVE_S", 0.05)
    monkeypatch.setattr(limits, "RPC_KEEPALIVE_TIMEOUT_S", 0.05)

    async def answer(peer: Raw) -> None:
        assert await peer.frame(wire.PING) is not None
        await asyncio.Event().wait()

    async with raw_server(answer) as address, our_client(address) as client:
        with pytest.raises(CallFailed, match="does not answer") as caught:
            await client.ask(b"hello", timeout_s=WAIT_S)

    assert caught.value.status is Status.UNAVAILABLE


async def test_a_peer_that_answers_pings_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RPC_KEEPALIVE_S", 0.02)
    monkeypatch.setattr(limits, "RPC_KEEPALIVE_TIMEOUT_S", 0.4)

    async def answer(peer: Raw) -> None:
        for _ in range(5):
            ping = await peer.frame(wire.PING)
            assert ping is not None
            peer.say(wire.frame(wire.PING, wire.ACK, 0, ping.payload))
        peer.headers(1, ANSWER)
        peer.say(wire.message_frame(1, b"at last", last=False))
        peer.headers(1, DONE, last=True)
        await peer.frame()

    async with raw_server(answer) as address, our_client(address) as client:
        assert await client.ask(b"hello", timeout_s=WAIT_S) == b"at last"


async def test_a_peer_that_remembers_no_headers_is_told_all_of_them_each_time() -> None:
    said: list[str] = []

    async def answer(peer: Raw) -> None:
        for stream in (1, 3, 5):
            await peer.frame(wire.DATA)
            peer.headers(stream, ANSWER)
            peer.say(wire.message_frame(stream, b"hello", last=False))
            peer.headers(stream, DONE, last=True)
        said.extend(headers[":path"] for _, headers in peer.heard)
        await peer.frame()

    async with raw_server(answer, remembers=0) as address, our_client(address) as client:
        assert [await client.ask(b"", timeout_s=WAIT_S) for _ in range(3)] == [b"hello"] * 3

    assert said == [UNARY] * 3
