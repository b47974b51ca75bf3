"""Duties over real gRPC, against an engine and an eventstore that only count."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from google.protobuf.message import Message
from mainspring_kernel.errors import (
    MainspringError,
    NotImplementedHere,
    TooManyRequests,
    Unavailable,
)
from mainspring_rpc import Channel, ControlClient, EventStoreClient, serve
from mainspring_rpc.generated.control.v1 import control_pb2 as control
from mainspring_rpc.generated.eventstore.v1 import eventstore_pb2 as eventstore
from mainspring_rpc.handlers import Service
from mainspring_scheduler.adapters.calls import RpcDutyCalls
from mainspring_scheduler.domain import Duty, Report
from mainspring_testkit.servers import free_port


class Unasked:
    """Answers every method of a service, so that a fake says only what its test is about."""

    async def _refuse(self, _: object, /) -> Message:
        raise NotImplementedHere

    submit_many = cancel = submit_tool_results = close_session = _refuse
    append_many = read = list = heads = verify = _refuse


@dataclass(kw_only=True)
class Engine(Unasked):
    kinds: list[int] = field(default_factory=list)
    refusal: MainspringError | None = None

    async def sweep(self, request: control.SweepRequest, /) -> control.SweepResponse:
        if self.refusal is not None:
            raise self.refusal
        self.kinds.append(request.kind)
        return control.SweepResponse(handled=500, more=True)

    async def upkeep(self, _: control.UpkeepRequest, /) -> control.UpkeepResponse:
        return control.UpkeepResponse(partitions_made=2)


class EventStore(Unasked):
    async def upkeep(self, _: eventstore.UpkeepRequest, /) -> eventstore.UpkeepResponse:
        return eventstore.UpkeepResponse(partitions_made=1, deltas_dropped=40)


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
async def calls(engine: Engine) -> AsyncIterator[RpcDutyCalls]:
    server = await serve(
        "127.0.0.1:0",
        [
            Service(control.DESCRIPTOR.services_by_name["ControlService"], engine),
            Service(eventstore.DESCRIPTOR.services_by_name["EventStoreService"], EventStore()),
        ],
    )
    channel = Channel(server.address)
    yield RpcDutyCalls(ControlClient(channel), EventStoreClient(channel))
    await channel.close()
    await server.stop(0)


async def test_each_sweep_asks_for_its_own_kind(calls: RpcDutyCalls, engine: Engine) -> None:
    for duty in (Duty.TIMERS, Duty.RETRIES, Duty.LEASES, Duty.SIGNALS):
        assert await calls.perform(duty) == Report(handled=500, more=True)

    assert engine.kinds == [
        control.SWEEP_KIND_TIMERS,
        control.SWEEP_KIND_RETRIES,
        control.SWEEP_KIND_LEASES,
        control.SWEEP_KIND_SIGNALS,
    ]


async def test_upkeep_reports_what_was_made_and_dropped(calls: RpcDutyCalls) -> None:
    assert await calls.perform(Duty.ENGINE_UPKEEP) == Report(handled=2)
    assert await calls.perform(Duty.LOG_UPKEEP) == Report(handled=41)


async def test_a_refusal_keeps_its_code_and_its_wait(calls: RpcDutyCalls, engine: Engine) -> None:
    engine.refusal = TooManyRequests("full", retry_after_s=3.0)

    with pytest.raises(TooManyRequests) as caught:
        await calls.perform(Duty.TIMERS)

    assert caught.value.retry_after_s == 3.0


async def test_an_engine_that_is_away_is_unavailable() -> None:
    channel = Channel(f"127.0.0.1:{free_port()}")
    calls = RpcDutyCalls(ControlClient(channel), EventStoreClient(channel))

    with pytest.raises(Unavailable):
        await calls.perform(Duty.TIMERS)

    await channel.close()
