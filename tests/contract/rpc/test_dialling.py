"""Which server a call goes to: replicas in turn, and what is there of those that come and go."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from mainspring_kernel.backoff import Policy
from mainspring_rpc.http2 import dialler, wire
from mainspring_rpc.http2.dialler import Dialler
from mainspring_rpc.http2.headers import request
from mainspring_rpc.http2.server import Listener, Route, ServerCall, listen
from mainspring_rpc.http2.wire import Code
from mainspring_rpc.status import CallFailed, Status
from mainspring_testkit.servers import free_port
from tests.contract.rpc.ends import UNARY
from tests.contract.rpc.raw import WAIT_S, Raw, plain_server, raw_client, raw_server

HOSTS = ("127.0.0.1", "127.0.0.2")


class Replica:
    """Answers with its name; with the entry and the way out of each call in the tests' hands."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.entered = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def listen(self, port: int) -> Listener:
        return await listen(self.name, port, {UNARY: Route(self.answer, streams=False)})

    async def answer(self, call: ServerCall) -> None:
        self.entered.set()
        await self.may_answer.wait()
        await call.reply(self.name.encode())


async def ask(dialler: Dialler) -> str:
    connection = await dialler.connection()
    return (await connection.unary(request(UNARY, "here"), b"", WAIT_S)).decode()


@asynccontextmanager
async def dialling(address: str) -> AsyncGenerator[Dialler]:
    dialler = Dialler(address)
    yield dialler
    await dialler.close()


def names(monkeypatch: pytest.MonkeyPatch, port: int, hosts: Sequence[str]) -> None:
    """The name `replicas` stands for these hosts."""

    async def getaddrinfo(host: str, *_: object, **__: object) -> list[object]:
        if host != "replicas":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in hosts]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)


async def test_replicas_behind_one_name_are_used_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    names(monkeypatch, port, HOSTS)
    async with AsyncExitStack() as stack:
        for host in HOSTS:
            stack.push_async_callback((await Replica(host).listen(port)).stop, 0)
        dialler = await stack.enter_async_context(dialling(f"replicas:{port}"))
        await ask(dialler)
        await asyncio.gather(*(ask(dialler) for _ in range(2)))  # until both are connected

        answered = [await ask(dialler) for _ in range(6)]

    assert sorted(answered[:2]) == sorted(HOSTS)
    assert answered[:2] * 3 == answered


async def test_several_addresses_are_used_in_turn() -> None:
    async with AsyncExitStack() as stack:
        addresses: list[str] = []
        for host in HOSTS:
            listener = await Replica(host).listen(0)
            stack.push_async_callback(listener.stop, 0)
            addresses.append(f"{host}:{listener.port}")
        dialled = await stack.enter_async_context(dialling(",".join(addresses)))
        await ask(dialled)
        await asyncio.gather(*(ask(dialled) for _ in range(2)))  # until both are connected

        assert {await ask(dialled) for _ in range(4)} == set(HOSTS)


async def test_a_key_goes_to_one_place_and_to_another_only_when_that_has_left() -> None:
    keys = [number.to_bytes(16, "big") for number in range(40)]
    async with AsyncExitStack() as stack:
        listeners = {host: await Replica(host).listen(0) for host in HOSTS}
        for listener in listeners.values():
            stack.push_async_callback(listener.stop, 0)
        addresses = [f"{host}:{listener.port}" for host, listener in listeners.items()]
        one = await stack.enter_async_context(dialling(",".join(addresses)))
        other = await stack.enter_async_context(dialling(",".join(reversed(addresses))))
        assert one.place(keys[0]) is None
        for dialled in (one, other):
            await ask(dialled)
            await asyncio.gather(*(ask(dialled) for _ in range(2)))  # until both are connected
        before = {key: place for key in keys if (place := one.place(key)) is not None}

        assert before == {key: other.place(key) for key in keys}
        assert {host for host, _ in before.values()} == set(HOSTS)
        gone = before[keys[0]]
        leaving = one.pick(gone)
        assert leaving is not None
        await listeners[gone[0]].stop(0)
        await leaving.ended.wait()
        (left,) = set(before.values()) - {gone}
        assert {one.place(key) for key in keys} == {left}
        assert one.pick(gone) is one.pick(left)


@pytest.mark.parametrize(
    ("address", "hosts"),
    [
        ("engine:9001", [("engine", 9001)]),
        ("[::1]:9001", [("::1", 9001)]),
        ("one:1, two:2", [("one", 1), ("two", 2)]),
        ("dns:///engine:9001", [("engine", 9001)]),
        ("ipv4:10.0.0.1:1,10.0.0.2:2", [("10.0.0.1", 1), ("10.0.0.2", 2)]),
        ("ipv6:[::1]:1,[::2]:2", [("::1", 1), ("::2", 2)]),
    ],
)
def test_an_address_is_read_as_grpc_reads_it(address: str, hosts: list[dialler.Endpoint]) -> None:
    assert dialler.hosts_of(address) == hosts


@pytest.mark.parametrize("port", ["70000", "-1", "http"])
def test_what_is_no_port_is_refused(port: str) -> None:
    with pytest.raises(ValueError, match=port):
        Dialler(f"{HOSTS[0]}:{port}")


async def test_a_replica_that_is_not_there_harms_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    names(monkeypatch, port, HOSTS)
    listener = await Replica(HOSTS[1]).listen(port)
    async with dialling(f"replicas:{port}") as dialler:
        assert [await ask(dialler) for _ in range(4)] == [HOSTS[1]] * 4
    await listener.stop(0)


async def test_a_replica_that_leaves_answers_what_it_has_and_gets_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = free_port()
    names(monkeypatch, port, HOSTS)
    first, second = Replica(HOSTS[0]), Replica(HOSTS[1])
    leaving, staying = await first.listen(port), await second.listen(port)
    async with dialling(f"replicas:{port}") as dialler:
        while not (first.entered.is_set() and second.entered.is_set()):
            await ask(dialler)
        first.entered.clear()
        first.may_answer.clear()
        calls = [asyncio.create_task(ask(dialler)) for _ in HOSTS]
        await first.entered.wait()
        stopping = asyncio.create_task(leaving.stop(WAIT_S))
        await asyncio.wait([stopping], timeout=0.05)

        assert [await ask(dialler) for _ in range(4)] == [HOSTS[1]] * 4
        first.may_answer.set()
        assert set(await asyncio.gather(*calls)) == set(HOSTS)
        await stopping
    await staying.stop(0)


async def test_an_unknown_name_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, 1, HOSTS)
    async with dialling("nobody:1") as dialler:
        with pytest.raises(CallFailed, match="nobody:1 is not known") as caught:
            await ask(dialler)

    assert caught.value.status is Status.UNAVAILABLE


@pytest.mark.parametrize("what", ["getaddrinfo", "create_connection"])
async def test_a_fault_in_the_middle_of_dialling_is_told_and_dialling_goes_on(
    monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    async def fails(*_: object, **__: object) -> None:
        message = "the handler is closed"
        raise RuntimeError(message)

    listener = await Replica(HOSTS[0]).listen(0)
    async with dialling(f"{HOSTS[0]}:{listener.port}") as dialled, asyncio.timeout(WAIT_S):
        with monkeypatch.context() as faulty:
            faulty.setattr(asyncio.get_running_loop(), what, fails)
            with pytest.raises(CallFailed, match="RuntimeError: the handler is closed") as caught:
                await dialled.connection()

        await dialled.connection(patient=True)

        assert caught.value.status is Status.UNAVAILABLE
        assert await ask(dialled) == HOSTS[0]
    await listener.stop(0)


async def test_a_server_that_comes_back_is_used_without_being_asked_for() -> None:
    port = free_port()
    listener = await Replica(HOSTS[0]).listen(port)
    async with dialling(f"{HOSTS[0]}:{port}") as dialler:
        assert await ask(dialler) == HOSTS[0]
        await listener.stop(0)
        with pytest.raises(CallFailed):
            await ask(dialler)
        listener = await Replica(HOSTS[0]).listen(port)
        async with asyncio.timeout(WAIT_S):
            await dialler.connection(patient=True)

        assert await ask(dialler) == HOSTS[0]
        await listener.stop(0)


async def test_what_does_not_speak_grpc_is_unavailable_and_not_dialled_without_rest() -> None:
    met = 0

    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal met
        met += 1
        writer.close()

    async with plain_server(close) as address, dialling(address) as dialler:
        with pytest.raises(CallFailed, match="does not speak gRPC"):
            await ask(dialler)
        assert met == 1
        with pytest.raises(CallFailed, match="does not speak gRPC"):
            await ask(dialler)


async def test_a_peer_that_never_greets_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialler, "_CONNECT", Policy(first_s=0.05, max_s=0.05))
    gone = asyncio.Event()

    async def listen_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.read(1 << 10):
                pass
        except ConnectionError:
            pass
        writer.close()
        gone.set()

    async with plain_server(listen_only) as address, dialling(address) as dialled:
        with pytest.raises(CallFailed, match="does not accept connections"):
            await ask(dialled)
        async with asyncio.timeout(WAIT_S):
            await gone.wait()


async def test_behind_one_address_the_next_attempt_may_find_a_server_that_is_well() -> None:
    """A balancer leads the first connection to a frozen server, the second to one that answers."""
    replica = Replica(HOSTS[0])
    listener = await replica.listen(0)
    well = (HOSTS[0], listener.port)
    connections = 0

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        if connections == 1:
            await reader.read()
        else:
            there_reader, there = await asyncio.open_connection(*well)
            await asyncio.gather(pass_on(reader, there), pass_on(there_reader, writer))
        writer.close()

    async with plain_server(lead) as address, dialling(address) as dialled:
        async with asyncio.timeout(WAIT_S):
            await dialled.connection(patient=True)
        assert (await ask(dialled), connections) == (HOSTS[0], 2)
    await listener.stop(0)


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
    writer.close()


async def test_calls_on_the_way_to_a_server_that_drains_are_answered() -> None:
    """It says farewell first, and names the last call only once the client must have read so."""
    replica = Replica(HOSTS[0])
    listener = await replica.listen(0)
    async with raw_client(f"{HOSTS[0]}:{listener.port}") as peer:
        peer.ask(1)
        assert await peer.answered(1) == HOSTS[0].encode()
        stopping = asyncio.create_task(listener.stop(WAIT_S))
        first = await peer.frame(wire.GOAWAY)
        ping = await peer.frame(wire.PING)
        assert first is not None
        assert ping is not None
        peer.ask(3)
        assert await peer.answered(3) == HOSTS[0].encode()

        peer.say(wire.frame(wire.PING, wire.ACK, 0, ping.payload))
        second = await peer.frame(wire.GOAWAY)
        assert second is not None
        assert wire.GONE.unpack_from(first.payload) == (wire.STREAM_MASK, Code.NO_ERROR)
        assert wire.GONE.unpack_from(second.payload) == (3, Code.NO_ERROR)
        assert await peer.frame() is None
    await stopping


async def test_a_farewell_fails_what_is_not_answered_and_nothing_else() -> None:
    async def answer(peer: Raw) -> None:
        while (found := await peer.frame(wire.DATA)) is not None and found.stream < 3:
            pass
        peer.say(wire.goaway(1, Code.NO_ERROR))
        peer.headers(1, ((":status", "200"), ("content-type", "application/grpc")))
        peer.say(wire.message_frame(1, b"answered", last=False))
        peer.headers(1, (("grpc-status", "0"),), last=True)
        await peer.frame()

    async with raw_server(answer) as address, dialling(address) as dialler:
        connection = await dialler.connection()
        said = request(UNARY, "here")
        first, second = await asyncio.gather(
            connection.unary(said, b"", WAIT_S),
            connection.unary(said, b"", WAIT_S),
            return_exceptions=True,
        )

    assert first == b"answered"
    assert isinstance(second, CallFailed)
    assert second.status is Status.UNAVAILABLE
