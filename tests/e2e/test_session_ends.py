"""A webhook is told of a deleted session over the whole stack, also where it fails at first."""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import msgspec
import pytest

from tests.e2e.follower import PATIENCE_S, Json
from tests.e2e.rig import LOOK_S, Rig

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.xdist_group("durability"),
]
KEY = "a key that signs"
_OPEN_TASKS = "select count(*) from engine.task where step = 'task:mainspring.session_end'"


@dataclass
class Receiver:
    """A webhook that answers with the statuses of the test, in their order, and then with 200."""

    statuses: list[int]
    came: asyncio.Queue[tuple[dict[str, str], bytes]] = field(default_factory=asyncio.Queue)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()[1:]
        pairs = (line.split(": ", 1) for line in head if line)
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers["content-length"]))
        self.came.put_nowait((headers, body))
        status = self.statuses.pop(0) if self.statuses else 200
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    async def next(self) -> tuple[dict[str, str], bytes]:
        async with asyncio.timeout(PATIENCE_S):
            return await self.came.get()


@asynccontextmanager
async def receiver(*statuses: int) -> AsyncGenerator[Receiver]:
    made = Receiver(list(statuses))
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()
    await server.wait_closed()


async def told_of(rig: Rig, told: Receiver) -> str:
    """A session that has such a hook, and the secret that signs it."""
    hook = {
        "point": "session_end",
        "type": "webhook",
        "url": f"http://told.test:{told.port}/end",
        "secret": "HOOKS",
    }
    refs = [{"ref": "user_hooks", "config": {"hooks": [hook]}}]
    session = str((await rig.call("POST", "/sessions", {"capabilities": refs}))["id"])
    await rig.call("PUT", f"/sessions/{session}/storage/secrets", {"secrets": {"HOOKS": KEY}})
    return session


async def delete(rig: Rig, session: str) -> None:
    """As a client does: what is told to come again does so, and may find that it was done."""
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http:
        async with asyncio.timeout(PATIENCE_S):
            while (status := await _deleted(http, rig, session)) == 503:  # noqa: ASYNC110 -- another process says when
                await asyncio.sleep(LOOK_S)
        assert status in (204, 404)


async def _deleted(http: httpx.AsyncClient, rig: Rig, session: str) -> int:
    return (await http.delete(f"{rig.api}/sessions/{session}")).status_code


def assert_signed(headers: dict[str, str], body: bytes) -> None:
    stamp, digest = headers["x-mainspring-signature"].removeprefix("t=").split(",v1=")
    signed = hmac.new(KEY.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert digest == signed


async def test_a_deleted_session_is_told_once_and_signed(rig: Rig) -> None:
    async with receiver() as told:
        session = await told_of(rig, told)
        await delete(rig, session)
        headers, body = await told.next()
        await delete(rig, session)
        await rig.until_sql(_OPEN_TASKS, [["0"]])
        assert told.came.empty()

    assert_signed(headers, body)
    said = msgspec.json.decode(body, type=Json)
    assert (said["event"], said["session_id"]) == ("session_end", session)
    assert headers["idempotency-key"].startswith("task_")
    await rig.assert_sound()


async def test_one_that_fails_is_told_the_same_again_until_it_has_heard(rig: Rig) -> None:
    async with receiver(503) as told:
        session = await told_of(rig, told)
        await delete(rig, session)
        first, again = await told.next(), await told.next()
        await rig.until_sql(_OPEN_TASKS, [["0"]])
        assert told.came.empty()

    assert_signed(*again)
    assert first == again
    await rig.assert_sound()
