"""The wire as a careful client without an SDK sees it."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from types import TracebackType
from typing import Self, cast
from uuid import uuid4

import httpx
import msgspec
import pytest

PATIENCE_S = 30.0
OUTCOMES = frozenset({"turn.completed", "turn.failed", "turn.cancelled", "turn.sealed"})
DELTAS = frozenset({"output.message.delta", "reason.thinking.delta", "tool.output.delta"})
STREAM_WORDS = frozenset({"connected", "disconnecting"})
Json = dict[str, object]


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """One data frame: the Event in it, and the id of the frame itself."""

    frame_id: str
    id: str
    type: str
    session_id: str
    data: Json
    sequence: int | None = None

    def text(self, name: str) -> str:
        return str(self.data.get(name, ""))

    def member(self, name: str) -> Json:
        return cast("Json", self.data[name])


def types(frames: list[Frame]) -> list[str]:
    """Without deltas."""
    return [frame.type for frame in frames if frame.type not in DELTAS]


def scripted(text: str, **script: object) -> str:
    """A message that says to the simulator what it shall answer."""
    return f"{text}\n```llmsim\n{json.dumps(script)}\n```"


def unique(name: str) -> str:
    return f"{name}-{uuid4().hex[:8]}"


class Wire:
    """`api` is the URL up to and with `/v1`."""

    def __init__(self, api: str, **headers: str) -> None:
        self.api = api
        self._http = httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S, headers=headers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def ask(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> httpx.Response:
        content = None if body is None else json.dumps(body)
        spelled = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            spelled["Content-Type"] = "application/json"
        return await self._http.request(
            method, f"{self.api}{path}", content=content, headers=spelled
        )

    async def make(self, path: str, body: object = None) -> Json:
        """What a POST made."""
        answer = await self.ask("POST", path, {} if body is None else body)
        assert answer.status_code == 201, answer.text
        return cast("Json", answer.json())

    async def get(self, path: str) -> Json:
        answer = await self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return cast("Json", answer.json())

    async def session(self, **body: object) -> str:
        return str((await self.make("/sessions", body))["id"])

    async def say(self, session_id: str, text: str, **body: object) -> str:
        """The id of the message."""
        message = {"role": "user", "content": [{"type": "text", "text": text}]}
        made = await self.make(f"/sessions/{session_id}/messages", {"message": message, **body})
        return str(made["id"])

    async def events(self, session_id: str, query: str = "") -> list[Frame]:
        page = await self.get(f"/sessions/{session_id}/events?limit=1000{query}")
        listed = msgspec.convert(page["data"], list[Json])
        return [msgspec.convert({"frame_id": one["id"], **one}, Frame) for one in listed]

    # ── streams ─────────────────────────────────────────────────────────────────────────────────

    @asynccontextmanager
    async def open(
        self, session_id: str, query: str = "", **headers: str
    ) -> AsyncGenerator[AsyncIterator[Frame]]:
        """Data frames as they come; returns from entering once the server said `connected`."""
        spelled = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"{self.api}/sessions/{session_id}/sse{query}"
        async with self._http.stream("GET", url, headers=spelled) as answer:
            if answer.status_code != 200:
                await answer.aread()
            assert answer.status_code == 200, answer.text
            async with aclosing(_frames(answer.aiter_lines())) as frames:
                assert await anext(frames) is None
                yield (frame async for frame in frames if frame is not None)

    async def until(
        self, session_id: str, wanted: str | frozenset[str], query: str = "?after_sequence=0"
    ) -> list[Frame]:
        """All frames up to the first of these types."""
        types_wanted = frozenset({wanted}) if isinstance(wanted, str) else wanted
        async with asyncio.timeout(PATIENCE_S), self.open(session_id, query) as frames:
            return await gather(frames, types_wanted)

    async def to_rest(self, session_id: str, query: str = "?after_sequence=0") -> list[Frame]:
        """All frames until the session idles."""
        return await self.until(session_id, "session.idled", query)


async def gather(frames: AsyncIterator[Frame], wanted: frozenset[str]) -> list[Frame]:
    found: list[Frame] = []
    async for frame in frames:
        found.append(frame)
        if frame.type in wanted:
            return found
    pytest.fail(f"the stream ended after {[one.type for one in found]}")


async def _frames(lines: AsyncIterator[str]) -> AsyncGenerator[Frame | None]:
    """None for `connected`."""
    kind = id_ = data = ""
    async for line in lines:
        name, _, value = line.partition(": ")
        if name == "event":
            kind = value
        elif name == "id":
            id_ = value
        elif name == "data":
            data = value
        elif not line:
            if kind == "connected":
                yield None
            elif data and kind not in STREAM_WORDS:
                frame = msgspec.convert({"frame_id": id_, **json.loads(data)}, Frame)
                assert frame.type == kind
                yield frame
            kind = id_ = data = ""
