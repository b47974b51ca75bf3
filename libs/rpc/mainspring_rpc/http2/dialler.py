"""Keeps a connection to each address that a name stands for, from the first call on."""

import asyncio
import logging
import socket
from contextlib import suppress
from hashlib import blake2b
from typing import Final, TypeAlias

from mainspring_kernel.backoff import RECONNECT, Policy, bound_s, delay_s
from mainspring_kernel.draws import SystemDraws
from mainspring_rpc.http2 import bounds
from mainspring_rpc.http2.changes import Changes
from mainspring_rpc.http2.client import ClientConnection
from mainspring_rpc.http2.connection import all_set
from mainspring_rpc.status import CallFailed, Status

Endpoint: TypeAlias = tuple[str, int]
_CONNECT: Final = Policy(first_s=bounds.CONNECT_FIRST_S, max_s=bounds.CONNECT_MAX_S)
_REPLICA: Final = Policy(first_s=RECONNECT.first_s, max_s=bounds.REPLICA_RETRY_MAX_S)
_SCHEMES: Final = ("dns:///", "dns:", "ipv4:", "ipv6:")
_DRAWS: Final = SystemDraws()
_PORT_MAX: Final = 0xFFFF
_LOG: Final = logging.getLogger(__name__)


class Dialler:
    """Connections to `host:port`, or to several of them with commas between, used in turn.

    A name that stands for several replicas uses them all.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._names = hosts_of(address)
        host, port = self._names[0]
        self.authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        """Whom calls name as asked: the first, whichever answers."""
        self._open: dict[Endpoint, ClientConnection] = {}
        self._usable: list[ClientConnection] = []
        self._leaving: list[ClientConnection] = []
        """Those that take no more calls and may still have some."""
        self._turn = 0
        self._keeper: asyncio.Task[None] | None = None
        self._failures = 0
        """Attempts since one connected all that was missing."""
        self._refusing = False
        """Whether the last attempts left no connection at all: nobody waits for the next."""
        self._problem = ""
        self._closed = False
        self._changes = Changes()
        self._lost = asyncio.Event()

    def place(self, key: bytes) -> Endpoint | None:
        """Where calls with this key go while the same servers are there, from any client.

        The one that ranks highest for the key (rendezvous hashing): who comes or goes moves only
        the keys that are, or were, its own. None where there is no connection.
        """
        if len(self._open) <= 1:
            return next(iter(self._open), None)
        return max(self._open, key=lambda endpoint: _rank(endpoint, key))

    def pick(self, to: Endpoint | None = None) -> ClientConnection | None:
        """The connection to this place, else the next in turn; None where none takes calls."""
        if to is not None and (wanted := self._open.get(to)) is not None:
            return wanted
        if not self._usable:
            return None
        self._turn += 1
        return self._usable[self._turn % len(self._usable)]

    async def connection(self, *, patient: bool = False) -> ClientConnection:
        """One that takes calls, once it is there.

        Raises CallFailed where it cannot be had now; who is `patient` waits for it.
        """
        while (found := self.pick()) is None:
            if self._closed:
                raise CallFailed(Status.UNAVAILABLE, "the channel is closed")
            if self._keeper is None:
                self._keeper = asyncio.create_task(self._keep())
            if self._refusing and not patient:
                raise CallFailed(Status.UNAVAILABLE, self._problem)
            await self._changes.next()
        return found

    async def close(self) -> None:
        """Ends all calls. Safe twice."""
        self._closed = True
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
            self._keeper = None
        left = (*self._open.values(), *self._leaving)
        self._open.clear()
        self._usable.clear()
        for connection in left:
            connection.close()
        self._changes.tell()
        await all_set([connection.ended for connection in left], bounds.FLUSH_S)

    async def _keep(self) -> None:
        """Connects what is missing, again and again, and waits while nothing is."""
        while True:
            self._lost.clear()
            if await self._connect_missing():
                self._failures = 0
                await self._lost.wait()
                continue
            self._failures += 1
            self._refusing = not self._usable
            self._changes.tell()
            policy = _REPLICA if self._usable else RECONNECT
            rest_s = delay_s(policy, self._failures, _DRAWS.unit())
            with suppress(TimeoutError):
                async with asyncio.timeout(rest_s):
                    await self._lost.wait()
                    self._failures = 0

    async def _connect_missing(self) -> bool:
        """Whether every address that the names stand for is connected now."""
        found = await asyncio.gather(*(self._resolve(*name) for name in self._names))
        wanted = dict.fromkeys(endpoint for endpoints in found for endpoint in endpoints)
        missing = [endpoint for endpoint in wanted if endpoint not in self._open]
        connected = await asyncio.gather(*(self._connect(endpoint) for endpoint in missing))
        return all(found) and all(connected)

    async def _resolve(self, host: str, port: int) -> list[Endpoint]:
        """What a name stands for; nothing where that cannot be known now."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(bounds.CONNECT_MAX_S):
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, TimeoutError, UnicodeError) as error:
            self._problem = f"{host}:{port} is not known: {error}"
            return []
        except Exception as error:  # noqa: BLE001 - of the keeper's loop, which must not end by it
            self._note_fault(error)
            return []
        return [(str(where[0]), int(where[1])) for _, _, _, _, where in found]

    async def _connect(self, endpoint: Endpoint) -> bool:
        loop = asyncio.get_running_loop()
        longest_s = bound_s(_CONNECT, self._failures + 1)
        try:
            async with asyncio.timeout(longest_s):
                _, connection = await loop.create_connection(ClientConnection, *endpoint)
                try:
                    await connection.greeted.wait()
                except asyncio.CancelledError:
                    connection.abort("no greeting came")
                    raise
        except (OSError, TimeoutError) as error:
            why = str(error) or "no answer in time"
            self._problem = f"{self.address} does not accept connections: {why}"
            return False
        except Exception as error:  # noqa: BLE001 - of the keeper's loop, which must not end by it
            self._note_fault(error)
            return False
        if not connection.usable:
            # As it dies, too: the system may have taken the connection just before.
            self._problem = (
                f"{self.address} hung up without a greeting: it is going away, "
                "or does not speak gRPC"
            )
            return False
        self._open[endpoint] = connection
        self._usable.append(connection)
        self._refusing = False
        connection.when_unusable = lambda: self._on_unusable(endpoint, connection)
        self._changes.tell()
        return True

    def _note_fault(self, error: Exception) -> None:
        """An error that is not the network's: who waits is told, and dialling goes on."""
        self._problem = f"{self.address} cannot be dialled: {type(error).__name__}: {error}"
        _LOG.error("dialling failed", exc_info=error)

    def _on_unusable(self, endpoint: Endpoint, connection: ClientConnection) -> None:
        if self._open.get(endpoint) is connection:
            del self._open[endpoint]
            self._usable.remove(connection)
            self._leaving = [one for one in self._leaving if not one.ended.is_set()]
            self._leaving.append(connection)
            self._lost.set()


def _rank(endpoint: Endpoint, key: bytes) -> bytes:
    host, port = endpoint
    return blake2b(key, salt=port.to_bytes(2, "big"), key=host.encode(), digest_size=8).digest()


def hosts_of(address: str) -> list[Endpoint]:
    """Hosts and ports of an address; gRPC's own names of schemes before it change nothing.

    Raises ValueError for what is no port.
    """
    for scheme in _SCHEMES:
        address = address.removeprefix(scheme)
    parted = [one.strip().rpartition(":") for one in address.split(",")]
    return [(host.removeprefix("[").removesuffix("]"), _port(port)) for host, _, port in parted]


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= _PORT_MAX:  # the system would take the rest of a division for it
        message = f"a port is a number from 0 to {_PORT_MAX}, not {port}"
        raise ValueError(message)
    return port
