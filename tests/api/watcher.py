"""One client of a session's stream, and what is read of its frames."""

import asyncio
import json
from typing import cast
from uuid import UUID

import httpx

from tests.api.test_resources import V1

Frame = tuple[str, str, dict[str, object]]
PATIENCE_S = 10.0


class Watcher:
    """One client of the stream."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()
        self.comments: list[str] = []

    async def frame(self) -> Frame:
        async with asyncio.timeout(PATIENCE_S):
            return await self._frame()

    async def _frame(self) -> Frame:
        type_ = id_ = data = ""
        async for line in self._lines:
            name, _, value = line.partition(": ")
            if line.startswith(":"):
                self.comments.append(line)
            elif name == "event":
                type_ = value
            elif name == "id":
                id_ = value
            elif name == "data":
                data = value
            elif not line and data:
                return type_, id_, json.loads(data)
        raise EOFError

    async def frames(self, count: int) -> list[Frame]:
        return [await self.frame() for _ in range(count)]

    async def until_end(self) -> list[Frame]:
        found: list[Frame] = []
        while True:
            try:
                found.append(await self.frame())
            except EOFError:
                return found


def watching(
    client: httpx.AsyncClient, session: dict[str, object], query: str = "", **headers: str
) -> "Opened":
    return Opened(client, f"{V1}/sessions/{session['id']}/sse{query}", headers)


class Opened:
    def __init__(self, client: httpx.AsyncClient, path: str, headers: dict[str, str]) -> None:
        self._stream = client.stream("GET", path, headers=headers)

    async def __aenter__(self) -> Watcher:
        response = await self._stream.__aenter__()
        assert response.status_code == 200
        watcher = Watcher(response)
        type_, _, _ = await watcher.frame()
        assert type_ == "connected"
        return watcher

    async def __aexit__(self, *args: object) -> None:
        await self._stream.__aexit__(None, None, None)


def uuid_of(session: dict[str, object]) -> UUID:
    return UUID(str(session["id"]).removeprefix("session_"))


def data_of(frame: Frame) -> dict[str, object]:
    return cast("dict[str, object]", frame[2]["data"])


def positions(frames: list[Frame]) -> list[object]:
    return [data.get("sequence") for _, _, data in frames]
