"""/durable/circuit-breakers: what is left in peace after failures, and by whose word"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from mainspring_api.adapters.http.routing import (
    Call,
    NoBody,
    NoQuery,
    Reply,
    RouteTable,
    json_answer,
    json_reply,
    reply_of,
)
from mainspring_api.adapters.http.wire.gate_keys import known_key, new_circuit_key
from mainspring_api.usecases.once import Answer, once_elsewhere
from mainspring_kernel import limits
from mainspring_kernel.errors import NotFound
from mainspring_kernel.times import rfc3339
from mainspring_schema.gates import CircuitView, SetCircuit
from mainspring_schema.keys import wire_key

table = RouteTable("durable")


class ReasonBody(Struct, frozen=True, kw_only=True):
    """Why it is set by hand; shown to whoever asks next."""

    reason: Annotated[str, Meta(max_length=limits.DISPLAY_NAME_CHARS_MAX)] = ""


class CircuitBreaker(Struct, frozen=True, kw_only=True):
    """`forced` was set by hand and holds until it is deleted.

    `key` is `provider_…:model`, with the provider's id, or `circuit:name` of one that tasks name.
    """

    key: str
    state: str
    forced: bool
    failure_count: int
    success_count: int
    trips: int
    reason: str
    retry_after_seconds: float | None
    last_failure_at: str | None
    opened_at: str | None
    half_open_at: str | None


class CircuitBreakerList(Struct, frozen=True, kw_only=True):
    data: tuple[CircuitBreaker, ...]
    total: int


@table.route("GET", "/durable/circuit-breakers", answer=CircuitBreakerList)
async def list_circuit_breakers(call: Call[NoBody, NoQuery]) -> Reply:
    """Circuit breakers that are open, were open, or were set by hand."""
    found = tuple(circuit_out(circuit) for circuit in await call.services.gates.circuits())
    return json_reply(CircuitBreakerList(data=found, total=len(found)))


@table.route(
    "GET", "/durable/circuit-breakers/{key:str}", answer=CircuitBreaker, other_statuses=(422,)
)
async def get_circuit_breaker(call: Call[NoBody, NoQuery]) -> Reply:
    """One circuit breaker."""
    key = known_key(call.path["key"])
    for circuit in await call.services.gates.circuits((key,)):
        if circuit.key == key:  # an older engine answers with all
            return json_reply(circuit_out(circuit))
    msg = "no such circuit breaker"
    raise NotFound(msg)


@table.route(
    "POST", "/durable/circuit-breakers/{key:str}/open", body=ReasonBody, answer=CircuitBreaker
)
async def open_circuit_breaker(call: Call[ReasonBody, NoQuery]) -> Reply:
    """Holds its tasks until it is closed or deleted; what runs goes on."""
    return await _set(call, "open")


@table.route(
    "POST", "/durable/circuit-breakers/{key:str}/close", body=ReasonBody, answer=CircuitBreaker
)
async def close_circuit_breaker(call: Call[ReasonBody, NoQuery]) -> Reply:
    """Lets its tasks pass, whatever fails, until it is opened or deleted."""
    return await _set(call, "close")


async def _set(call: Call[ReasonBody, NoQuery], action: Literal["open", "close"]) -> Reply:
    services = call.services
    key = new_circuit_key(call.path["key"])
    command = SetCircuit(key=key, action=action, reason=call.body.reason)

    async def work() -> Answer:
        return json_answer(circuit_out(await services.gates.set_circuit(command)), status=200)

    return reply_of(await once_elsewhere(services.store, call.org_id, call.key, work))


@table.route(
    "DELETE", "/durable/circuit-breakers/{key:str}", answer=CircuitBreaker, other_statuses=(422,)
)
async def delete_circuit_breaker(call: Call[NoBody, NoQuery]) -> Reply:
    """Gives it back to the rules: closed, with nothing counted."""
    command = SetCircuit(key=known_key(call.path["key"]), action="reset")
    return json_reply(circuit_out(await call.services.gates.set_circuit(command)))


def circuit_out(circuit: CircuitView) -> CircuitBreaker:
    return CircuitBreaker(
        key=wire_key(circuit.key),
        state=circuit.state,
        forced=circuit.forced,
        failure_count=circuit.failure_count,
        success_count=circuit.success_count,
        trips=circuit.trips,
        reason=circuit.reason,
        retry_after_seconds=circuit.wait_ms / 1000 if circuit.wait_ms else None,
        last_failure_at=_time(circuit.last_failure_ms),
        opened_at=_time(circuit.opened_ms),
        half_open_at=_time(circuit.half_open_ms),
    )


def _time(ms: int | None) -> str | None:
    return None if ms is None else rfc3339(ms)
