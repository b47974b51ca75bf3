"""Requests to the API, tried again where nobody answered."""

import asyncio
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Final

import httpx
import msgspec

from mainspring.answers import checked, retry_after_s

PASSING: Final = frozenset({429, 503, 504})
"""What another moment may answer otherwise."""
TRIES: Final = 12
"""Of a request that nobody answered; all that is sent may be sent twice. With a second between
them they outlast the restart of a service, and the recovery of Postgres."""
WAIT_S: Final = 30.0
"""One long poll: below what proxies cut."""
REQUESTS_MAX: Final = 32
"""Requests beside each other: the pool of connections looks through all that wait for one, each
time anew, so thousands of them took minutes. Those that wait for something have their own bound."""
KEPT_MAX: Final = 20
"""Idle connections that are kept: each request looks at all of them, by two system calls each."""


def http_of(
    url: str, headers: dict[str, str], transport: httpx.AsyncBaseTransport | None
) -> httpx.AsyncClient:
    """Without a bound of its own: what is asked for has some, and who follows a stream none."""
    return httpx.AsyncClient(
        base_url=url,
        headers=headers,
        timeout=WAIT_S + 15.0,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=KEPT_MAX),
        transport=transport,
    )


class Sender:
    """`http` is the client's own."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._room = asyncio.Semaphore(REQUESTS_MAX)

    async def __call__(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        tries: int = TRIES,
        waits: bool = False,
    ) -> bytes:
        """The body of the answer. `waits`: it comes when something ends, however late.

        Raises ApiError, and httpx.TransportError after the last try.
        """
        content = None if body is None else msgspec.json.encode(body)
        headers = {} if content is None else {"content-type": "application/json"}
        for left in range(tries, 0, -1):
            try:
                async with nullcontext() if waits else self._room:
                    answer = await self._http.request(
                        method, path, params=query, content=content, headers=headers
                    )
            except httpx.TransportError:
                if left == 1:
                    raise
                await asyncio.sleep(0.2 * (tries - left + 1))
                continue
            if answer.status_code in PASSING and left > 1:
                await asyncio.sleep(retry_after_s(answer))
                continue
            return checked(answer)
        raise AssertionError
