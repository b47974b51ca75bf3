"""Watches the bytes of one call: connect, first byte, gap. Sits below the providers' libraries.

Timers at this depth see keep-alive bytes that never become items, so a model that thinks for
minutes while its provider pings is not taken for a dead one.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

import httpx2
from typing_extensions import override

from mainspring_worker.ports.model import Deadlines


@dataclass(frozen=True, slots=True)
class Watch:
    """One call: its timers, its headers (the key is one), and the bodies it has opened."""

    deadlines: Deadlines
    headers: Mapping[str, str] = field(repr=False)
    bodies: "list[_Gapped]" = field(default_factory=list)

    async def close(self) -> None:
        """Cuts what was left half-read: not every library does when its reader leaves early."""
        for body in self.bodies:
            await body.aclose()


WATCH: Final[ContextVar[Watch]] = ContextVar("WATCH")
"""The call that the current task makes. The libraries' clients are shared and know no call."""


class Watched(httpx2.AsyncBaseTransport):
    """Adds what belongs to one call to a transport that all calls share.

    The key is put in here, as the last step, so that no client and no error of a library holds it.
    """

    def __init__(self, shared: httpx2.AsyncBaseTransport) -> None:
        self._shared = shared

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        watch = WATCH.get()
        deadlines = watch.deadlines
        request.headers.update(watch.headers)
        connect_s = deadlines.connect_ms / 1000
        request.extensions["timeout"] = {
            "connect": connect_s,
            "pool": connect_s,
            "read": None,
            "write": deadlines.first_byte_ms / 1000,
        }
        try:
            async with asyncio.timeout(deadlines.first_byte_ms / 1000):
                response = await self._shared.handle_async_request(request)
        except TimeoutError as error:
            message = f"no byte from the provider in {deadlines.first_byte_ms} ms"
            raise httpx2.ReadTimeout(message, request=request) from error
        if isinstance(response.stream, httpx2.AsyncByteStream):
            body = _Gapped(response.stream, request, deadlines)
            watch.bodies.append(body)
            response.stream = body
        return response

    @override
    async def aclose(self) -> None:
        await self._shared.aclose()


class _Gapped(httpx2.AsyncByteStream):
    def __init__(
        self, inner: httpx2.AsyncByteStream, request: httpx2.Request, deadlines: Deadlines
    ) -> None:
        self._inner = inner
        self._request = request
        self._deadlines = deadlines

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = aiter(self._inner)
        # Headers came; the body's first byte still belongs to the first-byte timer.
        bound_ms = self._deadlines.first_byte_ms
        while True:
            try:
                async with asyncio.timeout(bound_ms / 1000):
                    chunk = await anext(chunks)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                message = f"the provider fell silent for {bound_ms} ms"
                raise httpx2.ReadTimeout(message, request=self._request) from error
            yield chunk
            bound_ms = self._deadlines.gap_ms

    @override
    async def aclose(self) -> None:
        await self._inner.aclose()
