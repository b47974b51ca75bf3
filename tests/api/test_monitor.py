"""The live monitor of the durable engine: looks shared by all who watch."""

import asyncio

import httpx
import pytest

from mainspring_api.domain.limits import MONITOR_LOOK_S, MONITOR_STREAMS_MAX, SSE_CYCLE_S
from mainspring_api.usecases.monitor import Look, Monitor, MonitorStream
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.draws import SeededDraws
from mainspring_kernel.errors import NotFound, TooManyRequests, Unavailable
from tests.api.operators import FakeOperator
from tests.api.test_resources import V1
from tests.api.watcher import Opened

STRANGE = KeyError("a status that a newer engine has")


class Engine:
    """Says the next number at each look."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.looks = 0
        self.fault: Exception | None = None
        self.monitor = Monitor(self.look, self.clock, SeededDraws(1))

    async def look(self) -> Look:
        self.looks += 1
        if self.fault is not None:
            raise self.fault
        return Look(str(self.looks), b"%d" % self.looks)

    async def open(self, last_id: str = "") -> "Client":
        return await Client.of(self, last_id)

    async def pass_time(self, seconds: float = MONITOR_LOOK_S) -> None:
        """Until the loop sleeps again."""
        self.clock.advance(seconds)
        for _ in range(20):
            await asyncio.sleep(0)


class Client:
    def __init__(self, stream: MonitorStream) -> None:
        self.stream = stream
        self.chunks = stream.chunks()
        self.refused = False

    @classmethod
    async def of(cls, engine: Engine, last_id: str) -> "Client":
        clients: list[Client] = []

        async def allowed() -> None:
            if clients[0].refused:
                raise NotFound

        stream = await engine.monitor.open(last_id=last_id, allowed=allowed)
        clients.append(cls(stream))
        assert b"event: connected" in await anext(clients[0].chunks)
        return clients[0]

    async def next(self) -> str:
        async with asyncio.timeout(10):
            return (await anext(self.chunks)).decode()

    async def close(self) -> None:
        await self.chunks.aclose()
        await self.stream.close()


@pytest.fixture
def engine() -> Engine:
    return Engine()


async def test_all_who_watch_share_a_look(engine: Engine) -> None:
    clients = [await engine.open() for _ in range(3)]
    first = [await client.next() for client in clients]

    await engine.pass_time()
    second = [await client.next() for client in clients]

    assert first == ["event: snapshot\nid: 1\ndata: 1\n\n"] * 3
    assert second == ["event: snapshot\nid: 2\ndata: 2\n\n"] * 3
    assert engine.looks == 2


async def test_nobody_looks_where_nobody_watches(engine: Engine) -> None:
    client = await engine.open()
    await client.close()

    await engine.pass_time(60)
    again = await engine.open()

    assert "id: 2" in await again.next()
    assert engine.looks == 2


async def test_who_comes_again_is_not_shown_what_it_has_seen(engine: Engine) -> None:
    again = await engine.open(last_id="1")
    waiting = asyncio.create_task(again.next())

    await engine.pass_time()

    assert "id: 2" in await waiting


async def test_a_slow_client_gets_the_newest_alone(engine: Engine) -> None:
    slow = await engine.open()
    for _ in range(5):
        await engine.pass_time()

    assert "id: 6" in await slow.next()


async def test_a_stream_ends_with_the_right_to_watch(engine: Engine) -> None:
    client, other = await engine.open(), await engine.open()
    await client.next()
    client.refused = True

    await engine.pass_time()

    assert '"reason":"not_found"' in await client.next()
    with pytest.raises(StopAsyncIteration):
        await client.next()
    assert "id: 2" in await other.next()


async def test_an_engine_that_is_away_ends_the_streams_and_refuses_new_ones(
    engine: Engine,
) -> None:
    client = await engine.open()
    await client.next()
    engine.fault = Unavailable()

    await engine.pass_time()

    assert '"reason":"unavailable"' in await client.next()
    with pytest.raises(Unavailable):
        await engine.open()
    engine.fault = None
    assert "id: 4" in await (await engine.open()).next()


async def test_a_first_look_that_nobody_foresaw_refuses_all_who_ask_and_is_told_whole(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    engine.fault = STRANGE

    async with asyncio.timeout(10):
        refused = await asyncio.gather(*(engine.open() for _ in range(2)), return_exceptions=True)
    engine.fault = None
    client = await engine.open()

    assert [type(one) for one in refused] == [Unavailable, Unavailable]
    assert "id: 2" in await client.next()
    assert [one.exc_info[1] for one in caplog.records if one.exc_info] == [STRANGE]


async def test_a_later_look_that_nobody_foresaw_ends_the_streams_and_clients_come_again(
    engine: Engine,
) -> None:
    client = await engine.open()
    await client.next()
    engine.fault = STRANGE

    await engine.pass_time()
    ended = await client.next()
    await client.close()
    engine.fault = None
    again = await engine.open()
    first = await again.next()
    await engine.pass_time()

    assert '"reason":"unavailable"' in ended
    assert "id: 3" in first
    assert "id: 4" in await again.next()


async def test_streams_are_cycled_and_drained(engine: Engine) -> None:
    client = await engine.open()
    await client.next()
    await engine.pass_time(2 * SSE_CYCLE_S)
    assert '"reason":"connection_cycle"' in await client.next()

    last = await engine.open()
    await last.next()
    engine.monitor.drain()

    assert '"reason":"server_maintenance"' in await last.next()
    with pytest.raises(Unavailable):
        await engine.open()


async def test_watchers_are_bounded(engine: Engine) -> None:
    clients = [await engine.open() for _ in range(MONITOR_STREAMS_MAX)]

    with pytest.raises(TooManyRequests):
        await engine.open()
    await clients[0].close()
    await engine.open()


# ── over a socket ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.enable_socket
async def test_the_engine_is_shown_with_its_queues_workers_and_circuits(
    live: httpx.AsyncClient, operator: FakeOperator
) -> None:
    async with Opened(live, f"{V1}/durable/sse", {}) as watcher:
        type_, id_, seen = await watcher.frame()

    assert (type_, bool(id_)) == ("snapshot", True)
    assert seen == {"health": (await live.get(f"{V1}/durable/health")).json()} | {
        "circuit_breakers": []
    }
    assert operator.asked


@pytest.mark.enable_socket
async def test_an_unknown_organization_may_not_watch(live: httpx.AsyncClient) -> None:
    headers = {"x-org-id": "org_" + "0" * 31 + "7"}

    assert (await live.get(f"{V1}/durable/sse", headers=headers)).status_code == 404
