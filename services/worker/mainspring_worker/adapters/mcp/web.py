"""HTTP to MCP servers: to addresses that tools may reach, and no more bytes than are read.

The address is checked where the connection is made, request by request, so that neither a redirect
nor a name that changes its meaning leads anywhere else.
"""

from collections.abc import AsyncIterator
from typing import Final

import httpx2
import msgspec
from mcp_types import INTERNAL_ERROR
from msgspec import Struct
from typing_extensions import override

from mainspring_schema.agents import NetworkAccess
from mainspring_worker.adapters.builtin_tools.web.connecting import Connector, parsed
from mainspring_worker.adapters.mcp.limits import ANSWER_BYTES_MAX, OPEN_S

_REFUSALS: Final = frozenset({401, 403, 429})
_SERVER_ERRORS: Final = 500
_TIMEOUT: Final = httpx2.Timeout(OPEN_S, read=None)
"""Answers are waited for as long as their call may last, which the caller knows."""


class Checked(httpx2.AsyncBaseTransport):
    """Connects to the very address that was checked, under the name that was asked for."""

    def __init__(self, connector: Connector, access: NetworkAccess | None) -> None:
        self._connector = connector
        self._access = access
        self._inner = httpx2.AsyncHTTPTransport(trust_env=False)

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = parsed(str(request.url))
        address = await self._connector.checked(url, self._access)
        request.extensions["sni_hostname"] = url.hostname or ""
        request.url = request.url.copy_with(host=address)
        response = await self._inner.handle_async_request(request)
        if isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = _Bounded(response.stream, _passed_on(response))
        is_untold = request.method == "POST" and _is_untold(response.status_code)
        return await _told(response, request) if is_untold else response

    @override
    async def aclose(self) -> None:
        await self._inner.aclose()


def _passed_on(response: httpx2.Response) -> type[httpx2.SSEError | httpx2.StreamError]:
    """The error whose words the library passes on to who asked.

    By any other it ends the connection, and says no more than that.
    """
    is_stream = response.headers.get("content-type", "").lower().startswith("text/event-stream")
    return httpx2.SSEError if is_stream else httpx2.StreamError


def _is_untold(status: int) -> bool:
    """Whether the library would say of the answer no more than that it was an error."""
    return status in _REFUSALS or status >= _SERVER_ERRORS


async def _told(response: httpx2.Response, request: httpx2.Request) -> httpx2.Response:
    """The same answer, in whose body the protocol's own words tell the status.

    A body that has such words already stays.
    """
    try:
        content = await response.aread()
        msgspec.json.decode(content, type=_Error)
    except (msgspec.MsgspecError, httpx2.DecodingError, httpx2.SSEError, httpx2.StreamError):
        words = f"the server answered with HTTP status {response.status_code}"
        error = {"code": INTERNAL_ERROR, "message": words}
        content = msgspec.json.encode({"jsonrpc": "2.0", "id": None, "error": error})
    finally:
        await response.aclose()
    headers = {"content-type": "application/json"}
    return httpx2.Response(response.status_code, headers=headers, content=content, request=request)


class _Words(Struct):
    code: int
    message: str


class _Error(Struct):
    jsonrpc: str
    error: _Words


class _Bounded(httpx2.AsyncByteStream):
    def __init__(
        self,
        inner: httpx2.AsyncByteStream,
        too_much: type[httpx2.SSEError | httpx2.StreamError],
    ) -> None:
        self._inner = inner
        self._too_much = too_much

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        taken = 0
        async for chunk in self._inner:
            taken += len(chunk)
            if taken > ANSWER_BYTES_MAX:
                message = f"the server sent more than {ANSWER_BYTES_MAX} bytes in one answer"
                raise self._too_much(message)
            yield chunk

    @override
    async def aclose(self) -> None:
        await self._inner.aclose()


def http_client(
    headers: dict[str, str], connector: Connector, access: NetworkAccess | None
) -> httpx2.AsyncClient:
    """A client for one server. The library follows no redirect to another origin."""
    return httpx2.AsyncClient(
        headers=headers, timeout=_TIMEOUT, transport=Checked(connector, access), trust_env=False
    )
