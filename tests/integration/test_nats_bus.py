"""What only a real server shows: being away, coming back, refusing."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from nats.aio.client import Client

from mainspring_kernel import limits
from mainspring_messaging import Message, NatsBus, Signal, SignalKind
from mainspring_testkit import servers
from mainspring_testkit.servers import NatsServer, free_port


@pytest.fixture
def own_nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A server that this test may kill."""
    with servers.embedded_nats(tmp_path_factory.mktemp("own-nats")) as server:
        yield server


class Watch:
    """Lets a test wait for a signal."""

    def __init__(self, bus: NatsBus) -> None:
        self._queue: asyncio.Queue[SignalKind] = asyncio.Queue()
        bus.watch(self._put)

    def _put(self, signal: Signal) -> None:
        self._queue.put_nowait(signal.kind)

    async def until(self, kind: SignalKind) -> None:
        async with asyncio.timeout(20):
            while await self._queue.get() is not kind:
                pass


@pytest.fixture
async def bus(own_nats: NatsServer) -> AsyncIterator[NatsBus]:
    bus = NatsBus(own_nats.url, name="test")
    await bus.start(wait_s=5)
    yield bus
    await bus.close()


async def test_subscriptions_stand_again_after_the_server_was_killed(
    bus: NatsBus, own_nats: NatsServer
) -> None:
    watch, got = Watch(bus), asyncio.Queue[Message]()
    await bus.subscribe("a", got.put_nowait)
    assert own_nats.process is not None
    own_nats.process.kill()
    await watch.until(SignalKind.DISCONNECTED)

    bus.publish("a", b"lost")
    assert not bus.connected
    assert not await bus.flush(0.1)
    own_nats.process.start()
    await watch.until(SignalKind.CONNECTED)
    bus.publish("a", b"found")

    async with asyncio.timeout(5):
        assert (await got.get()).data == b"found"
    assert bus.dropped == 1


async def test_a_bus_without_a_server_starts_and_connects_later(own_nats: NatsServer) -> None:
    assert own_nats.process is not None
    own_nats.process.stop()
    bus, got = NatsBus(own_nats.url, name="test"), asyncio.Queue[Message]()
    watch = Watch(bus)
    await bus.start(wait_s=0.05)
    await bus.subscribe("a", got.put_nowait)
    bus.publish("a", b"lost")
    assert not bus.connected

    own_nats.process.start()
    await watch.until(SignalKind.CONNECTED)
    bus.publish("a", b"found")

    async with asyncio.timeout(5):
        assert (await got.get()).data == b"found"
    await bus.close()


async def test_one_of_several_servers_is_enough_and_a_password_may_have_any_characters(
    tmp_path: Path,
) -> None:
    with servers.embedded_nats(tmp_path, "p@ss/w:r,d?#% é") as server:
        who, _, place = server.url.rpartition("@")
        bus = NatsBus(f"{who}@127.0.0.1:{free_port()},{place}", name="test")
        await bus.start(wait_s=10)

        assert bus.connected
        assert await bus.flush(5)
        await bus.close()


async def test_an_outage_is_told_once_with_its_address_and_its_end(
    bus: NatsBus, own_nats: NatsServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "mainspring_messaging")
    watch, where = Watch(bus), own_nats.url.rpartition("@")[2].removeprefix("nats://")
    assert own_nats.process is not None

    own_nats.process.kill()
    await watch.until(SignalKind.DISCONNECTED)
    own_nats.process.start()
    await watch.until(SignalKind.CONNECTED)

    assert [(one.levelname, one.message) for one in caplog.records] == [
        (
            "WARNING",
            f"NATS at {where} is away (the connection was lost); "
            "working without it, at the pace of the sweeps",
        ),
        ("INFO", f"NATS at {where} is back"),
    ]


async def test_who_asks_for_tls_sends_no_password_without() -> None:
    heard = asyncio.Queue[bytes]()

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"auth_required": true}\r\n')
        heard.put_nowait(await reader.read())
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port: int = server.sockets[0].getsockname()[1]
        bus = NatsBus(f"tls://me:secret@127.0.0.1:{port}", name="test")
        await bus.start(wait_s=0)
        async with asyncio.timeout(20):
            assert await heard.get() == b""
        await bus.close()


async def test_a_bus_that_never_found_its_server_can_be_closed() -> None:
    bus = NatsBus(f"nats://127.0.0.1:{free_port()}", name="test")
    await bus.start(wait_s=0.05)

    await bus.close()

    assert not bus.connected


async def test_a_hint_that_the_server_refuses_is_dropped(bus: NatsBus) -> None:
    bus.publish("a", b"x" * (2 * limits.MIB))
    bus.publish("a", b"small")

    assert await bus.flush(5)
    assert bus.dropped == 1


async def test_hints_beyond_the_outbox_are_dropped(bus: NatsBus) -> None:
    for _ in range(limits.BUS_OUTBOX_MESSAGES_MAX + 5):
        bus.publish("a", b"x")

    assert bus.dropped == 5
    assert await bus.flush(5)


async def test_an_answer_that_comes_too_late_leaves_the_bus_hearing(
    bus: NatsBus, own_nats: NatsServer
) -> None:
    got = asyncio.Queue[Message]()
    await bus.subscribe("a", got.put_nowait)
    assert await bus.flush(5)
    assert own_nats.process is not None

    os.kill(own_nats.process.pid, signal.SIGSTOP)
    await asyncio.to_thread(os.waitid, os.P_PID, own_nats.process.pid, os.WSTOPPED | os.WNOWAIT)
    in_time = await bus.flush(0.1)
    os.kill(own_nats.process.pid, signal.SIGCONT)

    assert not in_time
    assert await bus.flush(5)
    bus.publish("a", b"heard")
    async with asyncio.timeout(5):
        assert (await got.get()).data == b"heard"


async def test_one_that_comes_when_this_process_stood_still_does_so_too(
    bus: NatsBus, own_nats: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    got, loop = asyncio.Queue[Message](), asyncio.get_running_loop()
    await bus.subscribe("a", got.put_nowait)
    assert await bus.flush(5)
    assert own_nats.process is not None
    os.kill(own_nats.process.pid, signal.SIGSTOP)
    await asyncio.to_thread(os.waitid, os.P_PID, own_nats.process.pid, os.WSTOPPED | os.WNOWAIT)
    assert not await bus.flush(0.1)

    before, late = loop.time, asyncio.Event()
    loop.call_later(89, late.set)
    monkeypatch.setattr(loop, "time", lambda: before() + 90)
    await late.wait()
    os.kill(own_nats.process.pid, signal.SIGCONT)

    assert await bus.flush(5)
    bus.publish("a", b"heard")
    async with asyncio.timeout(5):
        assert (await got.get()).data == b"heard"


async def test_a_new_connection_waits_for_no_answer_that_the_old_one_owed(
    bus: NatsBus, own_nats: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BUS_ROUND_TRIPS_MAX", 1)
    watch = Watch(bus)
    assert own_nats.process is not None
    os.kill(own_nats.process.pid, signal.SIGSTOP)
    assert not await bus.flush(0.1)

    own_nats.process.kill()
    await watch.until(SignalKind.DISCONNECTED)
    own_nats.process.start()
    await watch.until(SignalKind.CONNECTED)

    assert await bus.flush(5)


async def test_a_transport_that_was_lost_unnoticed_is_replaced(
    bus: NatsBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch, got = Watch(bus), asyncio.Queue[Message]()
    await bus.subscribe("a", got.put_nowait)
    with monkeypatch.context() as broken:
        broken.setattr(Client, "publish", transport_is_closed)
        bus.publish("a", b"lost")
        await watch.until(SignalKind.DISCONNECTED)

    await watch.until(SignalKind.CONNECTED)
    bus.publish("a", b"found")

    async with asyncio.timeout(5):
        assert (await got.get()).data == b"found"


async def transport_is_closed(*_: object, **__: object) -> None:
    message = "unable to perform operation on <TCPTransport closed=True>; the handler is closed"
    raise RuntimeError(message)
