"""Calls over a real socket: errors, traces, streams, health, drain."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from mainspring_kernel import limits
from mainspring_kernel.errors import (
    DeadlineExceeded,
    LeaseLost,
    MainspringError,
    NotImplementedHere,
    PayloadTooLarge,
    Unavailable,
)
from mainspring_kernel.tracing import TraceContext, current_trace, use_trace
from mainspring_rpc import (
    Channel,
    ControlClient,
    ResourceClient,
    Server,
    ServerStream,
    WorkerClient,
    probe,
    resource_service,
    serve,
    worker_service,
)
from mainspring_rpc.generated.control.v1 import control_pb2 as control
from mainspring_rpc.generated.resource.v1 import resource_pb2 as resource
from mainspring_rpc.generated.worker.v1 import worker_pb2 as worker
from mainspring_testkit.servers import free_port

TRACE = TraceContext(0xABC, 0xDEF, sampled=True)
ANY = "127.0.0.1:0"


class Resources:
    """Does what the provider's name says."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def get_credentials(
        self, request: resource.GetCredentialsRequest
    ) -> resource.GetCredentialsResponse:
        lost = LeaseLost("task_1", 7)
        match request.provider_id:
            case "lost":
                raise lost
            case "bug":
                message = "secret"
                raise ZeroDivisionError(message)
            case "slow":
                self.entered.set()
                await self.may_answer.wait()
            case "large":
                return resource.GetCredentialsResponse(api_key="x" * limits.RPC_MESSAGE_BYTES_MAX)
            case _:
                pass
        trace = current_trace()
        return resource.GetCredentialsResponse(api_key=trace.format() if trace else "none")

    async def write_file(self, request: resource.WriteFileRequest) -> resource.WriteFileResponse:
        return resource.WriteFileResponse(path=request.path)

    async def ask(self, request: resource.AskRequest) -> resource.AskResponse:
        return resource.AskResponse(answer=request.question)

    async def change(self, request: resource.ChangeRequest) -> resource.ChangeResponse:
        return resource.ChangeResponse(answer=request.order)


class Workers:
    """Answers each frame's credits with as many tasks; refuses a draining worker."""

    def __init__(self) -> None:
        self.left = asyncio.Event()

    async def work(self, stream: ServerStream[worker.WorkRequest, worker.WorkResponse]) -> None:
        lost = LeaseLost("task_2", 1)
        try:
            async for frame in stream:
                if frame.draining:
                    raise lost
                await stream.send(worker.WorkResponse(tasks=[worker.Task()] * frame.credits))
        finally:
            self.left.set()


class House:
    def __init__(self, server: Server, channel: Channel) -> None:
        self.server = server
        self.channel = channel
        self.resources = ResourceClient(channel)
        self.workers = WorkerClient(channel)


@asynccontextmanager
async def house(resources: Resources, workers: Workers | None = None) -> AsyncGenerator[House]:
    services = [resource_service(resources), worker_service(workers or Workers())]
    server = await serve(ANY, services)
    channel = Channel(server.address)
    try:
        yield House(server, channel)
    finally:
        await channel.close()
        await server.stop(0)


def ask(provider: str) -> resource.GetCredentialsRequest:
    return resource.GetCredentialsRequest(provider_id=provider)


async def test_the_trace_crosses_the_call() -> None:
    async with house(Resources()) as here:
        with use_trace(TRACE):
            inside = await here.resources.get_credentials(ask("x"))
        outside = await here.resources.get_credentials(ask("x"))

    assert (inside.api_key, outside.api_key) == (TRACE.format(), "none")


async def test_the_client_raises_what_the_server_raised() -> None:
    async with house(Resources()) as here:
        with pytest.raises(LeaseLost) as caught:
            await here.resources.get_credentials(ask("lost"))

    assert caught.value.data == {"task": "task_1", "fence": 7}


async def test_an_unforeseen_error_is_logged_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    async with house(Resources()) as here:
        with pytest.raises(MainspringError) as caught:
            await here.resources.get_credentials(ask("bug"))

    assert type(caught.value) is MainspringError
    assert "secret" not in str(caught.value)
    assert "secret" in caplog.text


async def test_a_call_without_an_answer_in_time_is_ended() -> None:
    async with house(Resources()) as here:
        with pytest.raises(DeadlineExceeded):
            await here.resources.get_credentials(ask("slow"), timeout_s=0.05)


async def test_a_message_over_the_bound_is_refused() -> None:
    async with house(Resources()) as here:
        with pytest.raises(PayloadTooLarge):
            await here.resources.get_credentials(ask("large"))
        with pytest.raises(PayloadTooLarge):
            await here.resources.get_credentials(ask("x" * limits.RPC_MESSAGE_BYTES_MAX))


async def test_a_service_that_is_not_served_is_not_implemented() -> None:
    async with house(Resources()) as here:
        with pytest.raises(NotImplementedHere):
            await ControlClient(here.channel).sweep(control.SweepRequest())


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    channel = Channel(f"127.0.0.1:{free_port()}")

    with pytest.raises(Unavailable):
        await ResourceClient(channel).get_credentials(ask("x"))
    with pytest.raises(Unavailable):
        await channel.ready(0.05)

    await channel.close()


async def test_a_channel_that_was_closed_is_unavailable_and_no_cancellation() -> None:
    resources = Resources()
    async with house(resources) as here:
        call = asyncio.create_task(here.resources.get_credentials(ask("slow")))
        await resources.entered.wait()

        await here.channel.close()

        with pytest.raises(Unavailable):
            await call
        with pytest.raises(Unavailable):
            await here.resources.get_credentials(ask("x"))


async def test_a_cancelled_caller_stays_cancelled() -> None:
    resources = Resources()
    async with house(resources) as here:
        call = asyncio.create_task(here.resources.get_credentials(ask("slow")))
        await resources.entered.wait()

        call.cancel()

        with pytest.raises(asyncio.CancelledError):
            await call


async def test_a_client_survives_the_restart_of_its_server() -> None:
    server = await serve(ANY, [resource_service(Resources())])
    channel = Channel(server.address)
    client = ResourceClient(channel)
    await client.get_credentials(ask("x"))
    await server.stop(0)
    with pytest.raises(Unavailable):
        await client.get_credentials(ask("x"))

    again = await serve(server.address, [resource_service(Resources())])
    await channel.ready(10)

    assert (await client.get_credentials(ask("x"))).api_key == "none"
    await channel.close()
    await again.stop(0)


async def test_both_ends_of_a_stream_send() -> None:
    async with house(Resources()) as here:
        stream = here.workers.work.open()
        await stream.send(worker.WorkRequest(credits=2))
        first = await stream.receive()
        await stream.send(worker.WorkRequest())
        second = await stream.receive()
        await stream.finish_sending()

        assert first is not None
        assert len(first.tasks) == 2
        assert second == worker.WorkResponse()
        assert [frame async for frame in stream] == []


async def test_an_error_ends_the_stream_at_the_client() -> None:
    async with house(Resources()) as here:
        stream = here.workers.work.open()
        await stream.send(worker.WorkRequest(draining=True))

        with pytest.raises(LeaseLost):
            await stream.receive()
        with pytest.raises(MainspringError):
            await stream.send(worker.WorkRequest())


async def test_the_handler_of_a_stream_ends_with_its_client() -> None:
    workers = Workers()
    async with house(Resources(), workers) as here:
        stream = here.workers.work.open()
        await stream.send(worker.WorkRequest(credits=1))
        await stream.receive()

        stream.cancel()
        stream.cancel()

        async with asyncio.timeout(5):
            await workers.left.wait()
        with pytest.raises(Unavailable):
            await stream.receive()


async def test_a_stream_to_a_server_that_goes_away_is_unavailable() -> None:
    async with house(Resources()) as here:
        stream = here.workers.work.open()
        await stream.send(worker.WorkRequest(credits=1))
        await stream.receive()

        await here.server.stop(0)

        with pytest.raises(Unavailable):
            await stream.receive()


async def test_a_stream_whose_connection_was_lost_is_left_without_an_error() -> None:
    async with house(Resources()) as here:
        stream = here.workers.work.open()
        await stream.send(worker.WorkRequest(credits=1))
        await here.server.stop(0)

        await stream.finish_sending()


async def test_health_follows_the_state_of_the_process() -> None:
    async with house(Resources()) as here:
        before = await probe.serving(here.server.address)
        here.server.set_serving(serving=True)
        during = await probe.serving(here.server.address)
        here.server.set_serving(serving=False)
        after = await probe.serving(here.server.address)
    gone = await probe.serving(here.server.address, 0.5)

    assert (before, during, after, gone) == (False, True, False, False)


async def test_open_calls_are_answered_while_a_server_drains() -> None:
    resources = Resources()
    async with house(resources) as here:
        call = asyncio.create_task(here.resources.get_credentials(ask("slow")))
        await resources.entered.wait()

        stopping = asyncio.create_task(here.server.stop(5))
        await asyncio.sleep(0)
        resources.may_answer.set()

        assert (await call).api_key == "none"
        await stopping
        await here.server.stop(5)


async def test_a_port_that_is_taken_is_refused() -> None:
    async with house(Resources()) as here:
        with pytest.raises(OSError, match="Address already in use"):
            await serve(here.server.address, [])


@pytest.mark.parametrize(
    ("bind", "reason"),
    [
        ("nowhere.invalid:9001", "[Nn]ame"),
        ("192.0.2.1:9001", "Cannot assign requested address"),
    ],
)
async def test_an_address_that_is_not_of_this_machine_is_told_as_that(
    bind: str, reason: str
) -> None:
    with pytest.raises(OSError, match=f"cannot listen on {bind}: .*{reason}"):
        await serve(bind, [])


async def test_the_probe_exits_by_what_it_finds() -> None:
    async with house(Resources()) as here:
        here.server.set_serving(serving=True)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "mainspring_rpc.probe", here.server.address
        )
        assert await process.wait() == 0

    assert probe.main([]) == 2


@pytest.mark.parametrize("said", [["nowhere"], [":"], ["127.0.0.1:1", "soon"]])
def test_the_probe_says_what_it_cannot_read(
    said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert probe.main(said) == 2

    assert capsys.readouterr().err.startswith(" ".join(said))
