"""What operators ask about gates, and how they change them."""

from collections.abc import Callable

from mainspring_engine.domain import circuit as rules
from mainspring_engine.domain.circuit import Circuit, CircuitState
from mainspring_engine.domain.gate_limits import CIRCUITS_FORCED_MAX, LIMIT_ENTRIES_MAX
from mainspring_engine.domain.limit import KeyLimit, with_rate
from mainspring_engine.domain.limits import CIRCUIT_ROUNDS_MAX
from mainspring_engine.ports.gates import GateStore
from mainspring_kernel.errors import NotFound, Unavailable, ValidationFailed
from mainspring_schema.gates import (
    CircuitView,
    DropLimit,
    LimitView,
    SetCircuit,
    SetLimit,
    SetWeight,
    Weights,
)

_STATES = {
    CircuitState.CLOSED: "closed",
    CircuitState.OPEN: "open",
    CircuitState.HALF_OPEN: "half_open",
}


class GateControl:
    """Reads what is stored, not what this engine remembers. Every method raises Unavailable."""

    def __init__(self, store: GateStore, moved: Callable[[], None]) -> None:
        """`moved` tells all engines."""
        self._store = store
        self._moved = moved

    async def circuits(self, keys: tuple[str, ...] = ()) -> tuple[CircuitView, ...]:
        """Circuits that ever left the closed state, or were set by hand; sorted by key.

        Those of `keys`, or as many of all as engines read.
        """
        store = self._store
        found = await store.circuits(keys) if keys else (await store.board()).circuits
        return tuple(_view(c) for c in sorted(found, key=lambda c: c.key))

    async def set_circuit(self, command: SetCircuit) -> CircuitView:
        """`open` and `close` hold until `reset`.

        Raises NotFound where there is none to close, ValidationFailed where too many are set,
        Unavailable where engines move it faster than it can be set.
        """
        if command.action == "reset":
            return await self._reset(command.key)
        state = CircuitState.OPEN if command.action == "open" else CircuitState.CLOSED
        for _ in range(CIRCUIT_ROUNDS_MAX):
            before = await self._find(command.key)
            if before.rev == 0 and state is CircuitState.CLOSED:
                detail = "no such circuit breaker"
                raise NotFound(detail)
            if not before.forced:
                await self._check_forced()
            move = rules.forcing(before, state, command.reason)
            for after in (await self._store.move_circuits((move,))).circuits:
                if after.forced and after.state is state:
                    self._moved()
                    return _view(after)
        detail = "the circuit moves faster than it can be set"
        raise Unavailable(detail)

    async def _check_forced(self) -> None:
        """Engines read so many: one more might crowd another out. Raises ValidationFailed."""
        forced = sum(circuit.forced for circuit in (await self._store.board()).circuits)
        if forced >= CIRCUITS_FORCED_MAX:
            detail = (
                f"{CIRCUITS_FORCED_MAX} circuit breakers are set by hand, and no more are kept: "
                "delete some"
            )
            raise ValidationFailed(detail)

    # ── limits ──────────────────────────────────────────────────────────────────────────────────

    async def limits(self, keys: tuple[str, ...] = ()) -> tuple[LimitView, ...]:
        """All limits, or those of some keys, and how they stand."""
        return tuple(_limit_view(limit) for limit in await self._store.limits(keys or None))

    async def set_limit(self, command: SetLimit) -> LimitView:
        """Holds once every engine has learned it, within a second. Raises ValidationFailed."""
        limit = KeyLimit(key=command.key, at_once=command.at_once)
        if command.rate is not None and command.per_ms is not None:
            limit = with_rate(limit, command.rate, command.per_ms)
        elif command.at_once is None or command.rate is not None or command.per_ms is not None:
            detail = "a limit names at_once, or rate and its window, or both"
            raise ValidationFailed(detail)
        await self._check_room(command.key)
        await self._store.set_limit(limit)
        self._moved()
        (view,) = await self.limits((command.key,))
        return view

    async def _check_room(self, key: str) -> None:
        """Engines read so many limits: one more would hold nothing. Raises ValidationFailed."""
        known = {limit.key for limit in (await self._store.board()).limits}
        if key not in known and len(known) >= LIMIT_ENTRIES_MAX:
            detail = f"there are {LIMIT_ENTRIES_MAX} limits, and no more are kept"
            raise ValidationFailed(detail)

    async def drop_limit(self, command: DropLimit) -> None:
        """Raises NotFound."""
        if not await self._store.drop_limit(command.key):
            detail = "no such limit"
            raise NotFound(detail)
        self._moved()

    async def weights(self) -> Weights:
        return Weights(weights=(await self._store.board()).weights)

    async def set_weight(self, command: SetWeight) -> None:
        await self._store.set_weight(command.org_id, command.weight)
        self._moved()

    async def _reset(self, key: str) -> CircuitView:
        if not await self._store.reset_circuit(key):
            detail = "no such circuit breaker"
            raise NotFound(detail)
        self._moved()
        return _view(Circuit(key=key))

    async def _find(self, key: str) -> Circuit:
        return next(iter(await self._store.circuits((key,))), Circuit(key=key))


def _view(circuit: Circuit) -> CircuitView:
    return CircuitView(
        key=circuit.key,
        state=_STATES[circuit.state],
        forced=circuit.forced,
        failure_count=circuit.failures,
        success_count=circuit.successes,
        trips=circuit.trips,
        reason=circuit.reason,
        wait_ms=circuit.wait_ms,
        last_failure_ms=circuit.last_failure_ms,
        opened_ms=circuit.opened_ms,
        half_open_ms=circuit.half_open_ms,
    )


def _limit_view(limit: KeyLimit) -> LimitView:
    return LimitView(
        key=limit.key,
        at_once=limit.at_once,
        rate=limit.rate,
        per_ms=limit.per_ms,
        running=limit.running,
        family=limit.family,
        available=None if limit.rate is None else int(limit.tokens),
    )
