"""Explains why something does not move: reads the rows of one moment and applies the rules."""

import msgspec

from mainspring_engine.domain.circuit import CircuitState
from mainspring_engine.domain.explain.snapshot import Snapshot, route_of
from mainspring_engine.domain.explain.subjects import explain
from mainspring_engine.domain.holds import HoldTimes
from mainspring_engine.domain.limit import KeyLimit, keys_of
from mainspring_engine.ports.gates import GateStore
from mainspring_engine.ports.snapshots import Snapshots
from mainspring_kernel.errors import NotFound
from mainspring_schema.explaining import Explanation
from mainspring_schema.operations import Explain


class Explaining:
    def __init__(self, snapshots: Snapshots, gates: GateStore, holds: HoldTimes) -> None:
        self._snapshots = snapshots
        self._gates = gates
        self._holds = holds

    async def answer(self, asked: Explain) -> Explanation:
        """Raises NotFound, Unavailable."""
        snapshot = await self._snapshots.of(asked.org_id, asked.subject, asked.id)
        if snapshot is None:
            raise NotFound
        whole = await self._with_gates(self._with_holds(snapshot))
        return explain(asked.subject, asked.id, whole)

    def _with_holds(self, snapshot: Snapshot) -> Snapshot:
        routes = {route_of(one.task) for one in snapshot.tasks if one.task.status == "ready"}
        known = {route: self._holds.mean_s(route) for route in routes}
        holds_s = {route: mean for route, mean in known.items() if mean is not None}
        return msgspec.structs.replace(snapshot, holds_s=holds_s)

    async def _with_gates(self, snapshot: Snapshot) -> Snapshot:
        routes = {route_of(one.task) for one in snapshot.tasks if one.task.status == "ready"}
        if not routes:
            return snapshot
        board = await self._gates.board()
        keys = {route.circuit for route in routes}
        shut = tuple(
            circuit
            for circuit in board.circuits
            if circuit.key in keys and circuit.state is not CircuitState.CLOSED
        )
        limits: tuple[KeyLimit, ...] = ()
        if board.limits:
            limits = await self._gates.limits(
                tuple({k for route in routes for k in keys_of(route)})
            )
        return msgspec.structs.replace(snapshot, circuits=shut, limits=limits)
