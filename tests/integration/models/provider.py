"""A fake provider: a bare HTTP server on loopback that plays scripted answers, byte by byte."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import cast

import msgspec


@dataclass(frozen=True)
class Send:
    data: bytes


@dataclass(frozen=True)
class Cut:
    """The connection breaks."""


@dataclass(frozen=True)
class Stall:
    """Silence until the client goes away."""


Action = Send | Cut | Stall


@dataclass(frozen=True)
class Answer:
    """`before_headers` plays before a byte is sent; `actions` are the body."""

    actions: Sequence[Action] = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "text/event-stream"
    stall_before_headers: bool = False


@dataclass(frozen=True)
class Asked:
    path: str
    headers: dict[str, str]
    body: dict[str, object]


class Provider:
    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.first: list[Answer] = []
        """Answers to the first requests; those behind them get `answer`."""
        self.asked: list[Asked] = []
        self.gone = asyncio.Event()
        """Set when a client left before its answer was whole."""
        self.sent = asyncio.Event()
        """Set when an answer begins to stall."""
        self.url = ""
        self._writers: set[asyncio.StreamWriter] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    async def close(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        await self._idle.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self._idle.clear()
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            self.gone.set()
        finally:
            writer.close()
            self._writers.discard(writer)
            if not self._writers:
                self._idle.set()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode().strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (x.partition(": ") for x in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.asked.append(
            Asked(
                first.split(" ")[1],
                headers,
                msgspec.json.decode(body or b"{}", type=dict[str, object]),
            )
        )
        answer = self.first.pop(0) if self.first else self.answer
        if answer.stall_before_headers:
            await self._stall(reader)
            return False
        kept = {"content-type": answer.content_type, "transfer-encoding": "chunked"}
        lines = [f"{name}: {value}" for name, value in {**kept, **answer.headers}.items()]
        writer.write(f"HTTP/1.1 {answer.status} X\r\n".encode())
        writer.write("\r\n".join([*lines, "", ""]).encode())
        await writer.drain()
        for action in answer.actions:
            match action:
                case Send():
                    writer.write(b"%x\r\n%s\r\n" % (len(action.data), action.data))
                    await writer.drain()
                case Cut():
                    writer.transport.abort()
                    return False
                case Stall():
                    await self._stall(reader)
                    return False
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    async def _stall(self, reader: asyncio.StreamReader) -> None:
        self.sent.set()
        with suppress(ConnectionError):
            await reader.read(1)
        self.gone.set()


@asynccontextmanager
async def provider(answer: Answer) -> AsyncGenerator[Provider]:
    made = Provider(answer)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    _, port = cast("tuple[str, int]", server.sockets[0].getsockname())
    made.url = f"http://127.0.0.1:{port}"
    try:
        yield made
    finally:
        server.close()
        await made.close()
