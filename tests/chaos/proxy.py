"""A TCP proxy of our own between two processes, whose faults a test turns on and off.

A `Link` listens for one client and leads to one of its targets, chosen anew for each connection.
"""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final, cast

from tests.chaos.pgwire import Commits

HELD_BYTES_MAX: Final = 256 * 1024
"""Bytes of one direction that wait in the proxy until it stops reading: a socket's buffer."""
Address = tuple[str, int]


class Way(Enum):
    """A direction of one connection."""

    OUT = "to the server"
    BACK = "to the client"


class Pipe(asyncio.Protocol):
    """One end of a connection; what comes in here goes out at `peer`."""

    def __init__(self, link: "Link", way: Way) -> None:
        self.link = link
        self.way = way
        """Of what is read here."""
        self.peer: Pipe | None = None
        self.transport: asyncio.Transport | None = None
        self._held: list[bytes] = []
        self._ended = False
        self._last = 0.0
        self._acts: deque[Callable[[], None]] = deque()
        self._commits: Commits | None = None

    # ── what asyncio tells ──────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.link.pipes.add(self)

    def data_received(self, data: bytes) -> None:
        if self.link.swallowing(self, data):
            return
        self._held.append(data)
        if sum(map(len, self._held)) > HELD_BYTES_MAX and self.transport is not None:
            self.transport.pause_reading()
        self.flush()

    def eof_received(self) -> bool:
        self._ended = True
        self.flush()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.link.pipes.discard(self)
        self.transport = None
        if self.peer is not None and exc is not None:
            self.peer.reset()
        elif not self._ended:
            self.eof_received()

    def pause_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.resume_reading()

    # ── passing on ──────────────────────────────────────────────────────────────────────────────

    def flush(self) -> None:
        """Passes on what came, unless a fault holds it."""
        out = None if self.peer is None else self.peer.transport
        if out is None or self.link.holds(self.way):
            return
        if self._held:
            data = b"".join(self._held)
            self._held.clear()
            if self.transport is not None:
                self.transport.resume_reading()
            self._send(data)
        if self._ended:
            self._at(lambda: _shut(self.peer))

    def _send(self, data: bytes) -> None:
        kept = self.link.cut(data)
        if kept is not None:
            data = kept
        if data:
            self._at(lambda: self._write(data))
        if kept is not None:
            self._at(self.reset)

    def _write(self, data: bytes) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.write(data)

    def _at(self, act: Callable[[], None]) -> None:
        """In order, after the link's delay: timers of one moment may come in any order."""
        loop = asyncio.get_running_loop()
        self._acts.append(act)
        self._last = max(self._last, loop.time() + self.link.delay_s())
        if self._last <= loop.time() and len(self._acts) == 1:
            self._next()
        else:
            loop.call_at(self._last, self._next)

    def _next(self) -> None:
        self._acts.popleft()()

    def reset(self) -> None:
        """Both ends learn it at once, as from a router that sends RST."""
        for end in (self, self.peer):
            if end is not None and end.transport is not None:
                _rst(end.transport)

    def commits(self) -> Commits:
        """What is known of the statements under way; read on the client's side of a connection."""
        if self._commits is None:
            self._commits = Commits()
        return self._commits


def _shut(pipe: Pipe | None) -> None:
    if pipe is not None and pipe.transport is not None:
        pipe.transport.close()


def _rst(transport: asyncio.Transport) -> None:
    found = cast("socket.socket | None", transport.get_extra_info("socket"))
    if found is not None and not transport.is_closing():
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class Link:
    """From one process to a service. `targets` are its replicas, the next one per connection."""

    def __init__(self, name: str, targets: Sequence[Address], *, postgres: bool = False) -> None:
        self.name = name
        self.port = 0
        self.pipes: set[Pipe] = set()
        self.swallowed = 0
        """Replies to a COMMIT that never arrived."""
        self.cuts = 0
        self._targets = tuple(targets)
        self._turn = 0
        self._postgres = postgres
        self._armed = False
        self._held: set[Way] = set()
        self._cut_after: int | None = None
        self._delay_s: Callable[[], float] = lambda: 0.0
        self._server: asyncio.Server | None = None
        self._dialling: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, "127.0.0.1", 0)
        self.port = cast("Address", self._server.sockets[0].getsockname())[1]

    async def close(self) -> None:
        for task in list(self._dialling):
            task.cancel()
        if self._server is not None:
            self._server.close()
        for pipe in list(self.pipes):
            pipe.reset()  # also where its other end has gone already

    def _accept(self) -> Pipe:
        near, far = Pipe(self, Way.OUT), Pipe(self, Way.BACK)
        near.peer, far.peer = far, near
        task = asyncio.get_running_loop().create_task(self._dial(near, far))
        self._dialling.add(task)
        task.add_done_callback(self._dialling.discard)
        return near

    async def _dial(self, near: Pipe, far: Pipe) -> None:
        """The next target that listens; a connection that none takes is reset."""
        loop = asyncio.get_running_loop()
        for _ in self._targets:
            self._turn += 1
            host, port = self._targets[self._turn % len(self._targets)]
            try:
                await loop.create_connection(lambda: far, host, port)
            except OSError:
                continue
            if near.transport is None:
                far.reset()
            near.flush()
            return
        near.reset()

    # ── faults ──────────────────────────────────────────────────────────────────────────────────

    def reset(self) -> int:
        """All its connections; how many."""
        pipes = [pipe for pipe in self.pipes if pipe.way is Way.OUT]
        for pipe in pipes:
            pipe.reset()
        return len(pipes)

    def hold(self, *ways: Way) -> None:
        """A black hole: nothing goes that way, and nobody is told."""
        self._held.update(ways)

    def slow(self, draw: Callable[[], float]) -> None:
        """Each piece waits as long as drawn, in seconds; pieces keep their order."""
        self._delay_s = draw

    def cut_after(self, size: int) -> None:
        """The connection that carries this many bytes from now on ends in the middle of them."""
        self._cut_after = size

    def swallow_commit(self) -> None:
        """The next reply to a COMMIT is lost, with its connection."""
        self._armed = self._postgres

    def heal(self) -> None:
        """Held bytes go on, as a retransmission would."""
        self._held.clear()
        self._cut_after = None
        self._armed = False
        self._delay_s = lambda: 0.0
        for pipe in list(self.pipes):
            pipe.flush()

    # ── what pipes ask ──────────────────────────────────────────────────────────────────────────

    def holds(self, way: Way) -> bool:
        return way in self._held

    def delay_s(self) -> float:
        return self._delay_s()

    def cut(self, data: bytes) -> bytes | None:
        """What is left of the data where the connection ends here."""
        if self._cut_after is None:
            return None
        if len(data) <= self._cut_after:
            self._cut_after -= len(data)
            return None
        kept = data[: self._cut_after]
        self._cut_after = None
        self.cuts += 1
        return kept

    def swallowing(self, pipe: Pipe, data: bytes) -> bool:
        """Watches statements; true where `data` is a reply that shall not arrive."""
        if not self._postgres:
            return False
        if pipe.way is Way.OUT:
            pipe.commits().sent(data)
            return False
        near = pipe.peer
        if near is None or not near.commits().answered(data) or not self._armed:
            return False
        self._armed = False
        self.swallowed += 1
        pipe.reset()
        return True
