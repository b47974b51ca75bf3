from collections.abc import Mapping
from typing import Final, assert_never

from mainspring_rpc import ControlClient, EventStoreClient
from mainspring_rpc.generated.control.v1 import control_pb2 as control
from mainspring_rpc.generated.eventstore.v1 import eventstore_pb2 as eventstore
from mainspring_scheduler.domain import limits
from mainspring_scheduler.domain.duties import AskedDuty, Duty, Report

_SWEEPS: Final[Mapping[Duty, control.SweepKind]] = {
    Duty.TIMERS: control.SWEEP_KIND_TIMERS,
    Duty.RETRIES: control.SWEEP_KIND_RETRIES,
    Duty.LEASES: control.SWEEP_KIND_LEASES,
}


class RpcDutyCalls:
    """Duties as calls of the engine and the eventstore."""

    def __init__(self, engine: ControlClient, eventstore: EventStoreClient) -> None:
        self._engine = engine
        self._eventstore = eventstore

    async def perform(self, duty: AskedDuty) -> Report:
        match duty:
            case Duty.TIMERS | Duty.RETRIES | Duty.LEASES:
                return await self._sweep(_SWEEPS[duty])
            case Duty.ENGINE_UPKEEP:
                done = await self._engine.upkeep(
                    control.UpkeepRequest(), timeout_s=limits.UPKEEP_TIMEOUT_S
                )
                handled = done.partitions_made + done.keys_forgotten + done.records_removed
                return Report(handled=handled, more=done.more)
            case Duty.LOG_UPKEEP:
                kept = await self._eventstore.upkeep(
                    eventstore.UpkeepRequest(), timeout_s=limits.UPKEEP_TIMEOUT_S
                )
                handled = kept.partitions_made + kept.deltas_dropped
                return Report(handled=handled, more=kept.more)
            case _:
                assert_never(duty)

    async def _sweep(self, kind: control.SweepKind) -> Report:
        answer = await self._engine.sweep(
            control.SweepRequest(kind=kind), timeout_s=limits.SWEEP_TIMEOUT_S
        )
        return Report(handled=answer.handled, more=answer.more)
