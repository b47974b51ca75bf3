"""The fault proxy: what it passes on, and each way in which it fails."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.chaos.pgwire import Commits
from tests.chaos.proxy import Link, Way

LONG_S = 20.0


class Echo:
    """A server that sends back what it gets, and counts it."""

    def __init__(self) -> None:
        self.got = bytearray()
        self.port = 0
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                self.got += data
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    made = Echo()
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def link(echo: Echo) -> AsyncIterator[Link]:
    made = Link("client>echo", [("127.0.0.1", echo.port)])
    await made.open()
    yield made
    await made.close()


async def dial(link: Link) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", link.port)


async def said(reader: asyncio.StreamReader, size: int) -> bytes:
    async with asyncio.timeout(LONG_S):
        return await reader.readexactly(size)


async def test_bytes_pass_both_ways_and_an_end_ends_both(link: Link) -> None:
    reader, writer = await dial(link)
    big = bytes(range(256)) * 4096

    writer.write(big)
    back = await said(reader, len(big))
    writer.write_eof()

    assert back == big
    async with asyncio.timeout(LONG_S):
        assert await reader.read() == b""
    writer.close()


async def test_a_reset_reaches_the_client(link: Link) -> None:
    reader, writer = await dial(link)
    writer.write(b"hello")
    await said(reader, 5)

    assert link.reset() == 1

    with pytest.raises(ConnectionResetError):
        await said(reader, 1)
    writer.close()


async def test_a_black_hole_holds_one_way_until_it_is_healed(link: Link, echo: Echo) -> None:
    reader, writer = await dial(link)
    writer.write(b"before")
    await said(reader, 6)

    link.hold(Way.BACK)
    writer.write(b"during")
    async with asyncio.timeout(LONG_S):
        while bytes(echo.got) != b"beforeduring":  # noqa: ASYNC110 -- the server tells nobody
            await asyncio.sleep(0.01)
    link.heal()

    assert await said(reader, 6) == b"during"
    writer.close()


async def test_pieces_of_a_slow_link_keep_their_order(link: Link) -> None:
    reader, writer = await dial(link)
    writer.write(b"-")
    await said(reader, 1)
    (pipe,) = (pipe for pipe in link.pipes if pipe.way is Way.OUT)
    delays = iter([0.05, *[0.0] * 999])
    pieces = bytes(range(200))

    link.slow(lambda: next(delays))  # those behind the first are all due with it
    for piece in pieces:
        pipe.data_received(bytes([piece]))

    assert await said(reader, len(pieces)) == pieces
    writer.close()


async def test_a_cut_lets_some_bytes_through_and_then_ends(link: Link, echo: Echo) -> None:
    reader, writer = await dial(link)

    link.cut_after(3)
    writer.write(b"hello")

    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await said(reader, 5)
    assert bytes(echo.got) in (b"", b"hel")
    assert link.cuts == 1
    writer.close()


async def test_slow_pieces_keep_their_order(link: Link) -> None:
    reader, writer = await dial(link)
    waits = iter([0.05, 0.0, 0.02, 0.0] * 10)

    link.slow(lambda: next(waits, 0.0))
    for piece in (b"one ", b"two ", b"three"):
        writer.write(piece)
        await writer.drain()

    assert await said(reader, 13) == b"one two three"
    writer.close()


async def test_a_connection_goes_to_whoever_listens(echo: Echo) -> None:
    gone = Echo()
    await gone.open()
    await gone.close()
    link = Link("client>either", [("127.0.0.1", gone.port), ("127.0.0.1", echo.port)])
    await link.open()

    for _ in range(3):
        reader, writer = await dial(link)
        writer.write(b"x")
        assert await said(reader, 1) == b"x"
        writer.close()

    await link.close()


def message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4, "big") + body


STARTUP = (8).to_bytes(4, "big") + (196608).to_bytes(4, "big")
SSL = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")
EXECUTE = message(b"E", b"\0\0\0\0\0") + message(b"S", b"")
COMMITTED = message(b"C", b"SELECT 1\0") + message(b"Z", b"I")


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_commit_is_known_by_its_reply_in_any_pieces(size: int) -> None:
    commits = Commits()
    commits.sent(SSL)
    assert not commits.answered(b"N")
    commits.sent(STARTUP)
    assert not commits.answered(message(b"R", b"\0\0\0\0") + message(b"Z", b"I"))
    commits.sent(EXECUTE)
    row = message(b"D", b"x" * 40)
    reply = row + COMMITTED

    told = [commits.answered(reply[at : at + size]) for at in range(0, len(reply), size)]

    assert told.count(True) == 1
    assert told[-1]


@pytest.mark.parametrize(
    "reply",
    [
        message(b"E", b"S\0") + message(b"Z", b"I"),  # an error: nothing is committed
        message(b"C", b"INSERT 0 1\0") + message(b"Z", b"T"),  # within a transaction
    ],
)
def test_what_is_not_committed_is_no_commit(reply: bytes) -> None:
    commits = Commits()
    commits.sent(STARTUP + EXECUTE)

    assert not commits.answered(reply)
