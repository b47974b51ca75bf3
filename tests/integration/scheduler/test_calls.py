"""Duties over real gRPC."""

from collections.abc import AsyncIterator

import pytest

from mainspring_kernel.errors import TooManyRequests, Unavailable
from mainspring_rpc import Channel, ControlClient, EventStoreClient
from mainspring_rpc.generated.control.v1 import control_pb2 as control
from mainspring_rpc.generated.eventstore.v1 import eventstore_pb2 as eventstore
from mainspring_scheduler.adapters.calls import RpcDutyCalls
from mainspring_scheduler.domain.duties import AskedDuty, Duty, Report
from mainspring_testkit.servers import free_port
from tests.integration.scheduler.others import Engine, EventStore, listen


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def log() -> EventStore:
    return EventStore()


@pytest.fixture
async def calls(engine: Engine, log: EventStore) -> AsyncIterator[RpcDutyCalls]:
    server = await listen(engine, log)
    channel = Channel(server.address)
    yield RpcDutyCalls(ControlClient(channel), EventStoreClient(channel))
    await channel.close()
    await server.stop(0)


@pytest.mark.parametrize(
    ("duty", "kind"),
    [
        (Duty.TIMERS, control.SWEEP_KIND_TIMERS),
        (Duty.RETRIES, control.SWEEP_KIND_RETRIES),
        (Duty.LEASES, control.SWEEP_KIND_LEASES),
    ],
)
async def test_a_sweep_asks_for_its_own_kind(
    calls: RpcDutyCalls, engine: Engine, duty: AskedDuty, kind: int
) -> None:
    await calls.perform(duty)

    assert engine.kinds.get_nowait() == kind


async def test_upkeep_reports_what_was_made_and_dropped(calls: RpcDutyCalls) -> None:
    assert await calls.perform(Duty.ENGINE_UPKEEP) == Report(handled=32)
    assert await calls.perform(Duty.LOG_UPKEEP) == Report(handled=41)


async def test_upkeep_that_reached_its_bound_says_that_there_is_more(
    calls: RpcDutyCalls, engine: Engine, log: EventStore
) -> None:
    engine.kept = control.UpkeepResponse(keys_forgotten=100, more=True)
    log.kept = eventstore.UpkeepResponse(deltas_dropped=20_000, more=True)

    assert await calls.perform(Duty.ENGINE_UPKEEP) == Report(handled=100, more=True)
    assert await calls.perform(Duty.LOG_UPKEEP) == Report(handled=20_000, more=True)


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
