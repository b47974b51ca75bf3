"""Opens connections for tools, to public addresses only.

A name is resolved once, each address it has is checked, and the connection goes to one of those
very addresses: a name that means something else a moment later (DNS rebinding) changes nothing.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias
from urllib.parse import SplitResult, urlsplit

from mainspring_harness.network import covers
from mainspring_schema.agents import NetworkAccess
from mainspring_worker.domain.addresses import Address, is_public

CONNECT_S: Final = 5.0
"""Connecting, the handshake of TLS included; a host that is slower is not there."""
_LOW_PORTS: Final = frozenset({80, 443})
_FIRST_HIGH_PORT: Final = 1024
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
Stream: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Refused(Exception):
    """The URL is none that may be fetched, or leads where none may. The text is for the model."""


class Unreachable(Exception):
    """The host does not answer, or not in a way that can be used."""


async def system_resolve(host: str, port: int) -> Sequence[str]:
    """Every address of a name. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class Connector:
    """`is_allowed` decides over addresses; only tests let it be more than `is_public`."""

    def __init__(
        self,
        *,
        resolve: Resolve = system_resolve,
        is_allowed: Callable[[Address], bool] = is_public,
    ) -> None:
        self._resolve = resolve
        self._is_allowed = is_allowed

    async def open(self, url: SplitResult, access: NetworkAccess | None) -> Stream:
        """Raises Refused, Unreachable."""
        host, port = _target(url)
        address = await self.checked(url, access)
        context = ssl.create_default_context() if url.scheme == "https" else None
        try:
            async with asyncio.timeout(CONNECT_S):
                return await asyncio.open_connection(
                    address, port, ssl=context, server_hostname=host if context else None
                )
        except TimeoutError as error:
            message = f"{host} did not answer within {CONNECT_S:.0f} s"
            raise Unreachable(message) from error
        except ssl.SSLError as error:
            message = f"no secure connection to {host}: {error.reason or 'TLS failed'}"
            raise Unreachable(message) from error
        except OSError as error:
            message = f"no connection to {host}"
            raise Unreachable(message) from error

    async def checked(self, url: SplitResult, access: NetworkAccess | None) -> str:
        """The address to connect to. Raises Refused, Unreachable."""
        host, port = _target(url)
        _check_access(host, access)
        return await self._address(host, port)

    async def _address(self, host: str, port: int) -> str:
        try:
            async with asyncio.timeout(CONNECT_S):
                found = await self._resolve(host, port)
        except (OSError, UnicodeError, TimeoutError) as error:
            message = f"the name {host} cannot be resolved"
            raise Unreachable(message) from error
        addresses = [ipaddress.ip_address(text) for text in found]
        # One that is closed refuses them all: who mixes them is up to something.
        if not addresses or not all(self._is_allowed(address) for address in addresses):
            message = f"{host} is no public host"
            raise Refused(message)
        return str(addresses[0])


def parsed(text: str) -> SplitResult:
    """Raises Refused for what is no plain http or https URL."""
    try:
        url = urlsplit(text.strip())
        _ = url.port
    except ValueError as error:
        message = "this is no URL"
        raise Refused(message) from error
    if url.scheme not in _DEFAULT_PORTS or not url.hostname:
        message = "only http and https URLs with a host can be fetched"
        raise Refused(message)
    if url.username is not None or url.password is not None:
        message = "a URL with a user name or password is not fetched"
        raise Refused(message)
    if any(character <= " " or character == "\x7f" for character in text.strip()):
        message = "a URL holds no spaces or control characters"
        raise Refused(message)
    return url


def _target(url: SplitResult) -> tuple[str, int]:
    port = _DEFAULT_PORTS[url.scheme] if url.port is None else url.port
    if port not in _LOW_PORTS and port < _FIRST_HIGH_PORT:
        message = f"port {port} is not fetched from"
        raise Refused(message)
    return (url.hostname or "").rstrip("."), port


def _check_access(host: str, access: NetworkAccess | None) -> None:
    if access is None:
        return
    allowed = access.allowed is None or any(covers(pattern, host) for pattern in access.allowed)
    if not allowed or any(covers(pattern, host) for pattern in access.blocked):
        message = f"the network rules of this agent do not allow {host}"
        raise Refused(message)
