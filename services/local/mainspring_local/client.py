"""The few calls of the REST and SSE interface that the command itself makes."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Self, TypeVar

import httpx
import msgspec

from mainspring_local.errors import Refused, StartProblem

CALL_SECONDS_MAX = 30.0
SILENCE_SECONDS_MAX = 45.0  # three heartbeats of the stream
RECONNECTS_MAX = 20
RECONNECT_SECONDS = 0.2
PAGE_ITEMS = 100
STREAM_WORDS = ("connected", "disconnecting")
BODY_CHARACTERS_SHOWN = 300


class Event(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    type: str
    session_id: str = ""
    data: dict[str, msgspec.Raw] = {}
    sequence: int | None = None

    def text(self, name: str) -> str:
        """A text member of the data; empty where there is none."""
        return msgspec.json.decode(self.data[name], type=str) if name in self.data else ""


class Page(msgspec.Struct, frozen=True):
    data: list[msgspec.Raw]
    total: int = 0


Item = TypeVar("Item", bound=msgspec.Struct)


class Identified(msgspec.Struct, frozen=True):
    id: str


class Problem(msgspec.Struct, frozen=True):
    detail: str


class Api:
    """Use as an async context manager. Raises StartProblem for whatever it cannot do."""

    def __init__(self, url: str, *, org: str = "") -> None:
        self._http = httpx.AsyncClient(
            base_url=f"{url}/api/v1",
            headers={"X-Org-Id": org} if org else {},
            timeout=CALL_SECONDS_MAX,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    async def create(self, path: str, body: Mapping[str, object]) -> str:
        """Posts and returns the id of what was made."""
        return msgspec.json.decode(await self._call("POST", path, body), type=Identified).id

    async def get(self, path: str, item: type[Item]) -> Item:
        return msgspec.json.decode(await self._call("GET", path, None), type=item)

    async def list(self, path: str, item: type[Item]) -> list[Item]:
        page = msgspec.json.decode(await self._call("GET", path, None), type=Page)
        return [msgspec.json.decode(raw, type=item) for raw in page.data]

    async def every(self, path: str, item: type[Item]) -> AsyncIterator[Item]:
        """All items of a list, page by page."""
        offset, total = 0, 1
        while offset < total:
            paged = f"{path}?offset={offset}&limit={PAGE_ITEMS}"
            page = msgspec.json.decode(await self._call("GET", paged, None), type=Page)
            for raw in page.data:
                yield msgspec.json.decode(raw, type=item)
            # A page that is empty ends it too, whatever the total says.
            offset, total = offset + PAGE_ITEMS, page.total if page.data else 0

    async def _call(self, method: str, path: str, body: Mapping[str, object] | None) -> bytes:
        try:
            answer = await self._http.request(method, path, json=body)
        except httpx.ConnectError as error:
            raise StartProblem(
                f"nothing answers at {self._http.base_url}; start a stack with `./task up`, "
                "or name the port of the one you mean in MAINSPRING_API_PORT"
            ) from error
        except httpx.HTTPError as error:
            raise StartProblem(f"{method} {path} failed: {error!r}") from error
        if answer.is_error:
            raise Refused(f"{method} {path}", answer.status_code, detail_of(answer.content))
        return answer.content

    async def events(self, session_id: str) -> AsyncIterator[Event]:
        """Every event from the first on, over any number of broken connections."""
        query: dict[str, str] = {"after_sequence": "0"}
        reconnects = 0
        while True:
            try:
                async with self._stream(f"/sessions/{session_id}/sse", query) as lines:
                    async for event in parse(lines):
                        reconnects = 0
                        query = {"since_id": event.id}
                        yield event
            except httpx.TransportError as error:
                reconnects += 1
                if reconnects > RECONNECTS_MAX:
                    raise StartProblem(f"the event stream keeps breaking: {error!r}") from error
            await asyncio.sleep(RECONNECT_SECONDS)

    @asynccontextmanager
    async def _stream(
        self, path: str, query: Mapping[str, str]
    ) -> AsyncGenerator[AsyncIterator[str]]:
        async with AsyncExitStack() as stack:
            timeout = httpx.Timeout(CALL_SECONDS_MAX, read=SILENCE_SECONDS_MAX)
            answer = await stack.enter_async_context(
                self._http.stream("GET", path, params=query, timeout=timeout)
            )
            if answer.is_error:
                _ = await answer.aread()
                raise Refused(f"GET {path}", answer.status_code, detail_of(answer.content))
            yield answer.aiter_lines()


def detail_of(body: bytes) -> str:
    """What a problem document says in words; of anything else its beginning."""
    try:
        return msgspec.json.decode(body, type=Problem).detail
    except msgspec.MsgspecError:
        return body[:BODY_CHARACTERS_SHOWN].decode(errors="replace")


async def parse(lines: AsyncIterator[str]) -> AsyncIterator[Event]:
    """Events of a stream; comments and the stream's own words are dropped."""
    kind, data = "", ""
    async for line in lines:
        if line.startswith("event:"):
            kind = line.removeprefix("event:").strip()
        elif line.startswith("data:"):
            data += line.removeprefix("data:").strip()
        elif not line:
            if data and kind not in STREAM_WORDS:
                yield msgspec.json.decode(data, type=Event)
            kind, data = "", ""
