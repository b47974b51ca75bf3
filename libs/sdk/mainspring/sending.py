"""Requests to the API, tried again where nobody answered."""

import asyncio
from collections.abc import Mapping
from typing import Final

import httpx
import msgspec

from mainspring.answers import checked, retry_after_s

PASSING: Final = frozenset({429, 503, 504})
"""What another moment may answer otherwise."""
TRIES: Final = 12
"""Of a request that nobody answered; all that is sent may be sent twice. With a second between
them they outlast the restart of a service, and the recovery of Postgres."""


class Sender:
    """`http` is the client's own."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def __call__(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        tries: int = TRIES,
    ) -> bytes:
        """The body of the answer. Raises ApiError, and httpx.TransportError after the last try."""
        content = None if body is None else msgspec.json.encode(body)
        headers = {} if content is None else {"content-type": "application/json"}
        for left in range(tries, 0, -1):
            try:
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
