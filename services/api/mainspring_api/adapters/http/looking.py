"""What the live monitor shows: the engine's health, and the circuits, as one JSON object."""

import msgspec
from msgspec import Struct

from mainspring_api.adapters.http.routes.gates import CircuitBreaker, circuit_out
from mainspring_api.adapters.http.wire.durable_health import HealthOut, health_out
from mainspring_api.domain.limits import HEALTH_AGE_MS_MAX
from mainspring_api.ports.gates import Gates
from mainspring_api.ports.operator import OperatorDoor
from mainspring_api.usecases.monitor import Look, Monitor
from mainspring_kernel.clock import Clock
from mainspring_kernel.draws import Draws
from mainspring_schema.operations import GetHealth


class Snapshot(Struct, frozen=True, kw_only=True):
    """What `/durable/health` and `/durable/circuit-breakers` say, at one moment."""

    health: HealthOut
    circuit_breakers: tuple[CircuitBreaker, ...]


def engine_monitor(operator: OperatorDoor, gates: Gates, clock: Clock, draws: Draws) -> Monitor:
    async def look() -> Look:
        health = await operator.inspect(GetHealth(age_ms_max=HEALTH_AGE_MS_MAX))
        circuits = tuple(circuit_out(one) for one in await gates.circuits())
        snapshot = Snapshot(health=health_out(health), circuit_breakers=circuits)
        return Look(str(health.at_ms), msgspec.json.encode(snapshot))

    return Monitor(look, clock, draws)
