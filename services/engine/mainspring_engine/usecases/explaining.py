"""Explains why something does not move: reads the rows of one moment and applies the rules."""

from uuid import UUID

import msgspec

from mainspring_engine.domain.circuit import CircuitState
from mainspring_engine.domain.explain.snapshot import Snapshot, route_of
from mainspring_engine.domain.explain.subjects import explain
from mainspring_engine.domain.holds import HoldTimes
from mainspring_engine.domain.limit import KeyLimit, keys_of
from mainspring_engine.domain.limits import CHILDREN_EXPLAINED_MAX
from mainspring_engine.ports.gates import GateStore
from mainspring_engine.ports.snapshots import Snapshots
from mainspring_kernel.errors import NotFound
from mainspring_schema.explaining import Explanation
from mainspring_schema.operations import Explain


class _Looks:
    """How many more children one answer looks into, at whatever depth."""

    def __init__(self, left: int) -> None:
        self.left = left


class Explaining:
    def __init__(self, snapshots: Snapshots, gates: GateStore, holds: HoldTimes) -> None:
        self._snapshots = snapshots
        self._gates = gates
        self._holds = holds

    async def answer(self, asked: Explain) -> Explanation:
        """Raises NotFound, Unavailable."""
        found = await self._explained(asked, _Looks(CHILDREN_EXPLAINED_MAX))
        if found is None:
            raise NotFound
        return found

    async def _explained(self, asked: Explain, looks: "_Looks") -> Explanation | None:
        snapshot = await self._snapshots.of(asked.org_id, asked.subject, asked.id)
        if snapshot is None:
            return None
        whole = await self._with_gates(self._with_holds(snapshot))
        children = await self._of_children(asked, whole, looks)
        return explain(asked.subject, asked.id, msgspec.structs.replace(whole, children=children))

    async def _of_children(
        self, asked: Explain, snapshot: Snapshot, looks: "_Looks"
    ) -> dict[UUID, Explanation]:
        """Each of its own moment: a parent moves no sooner than what it waits for."""
        found: dict[UUID, Explanation] = {}
        for row in snapshot.waits:
            id_ = None if row.wait.child is None else row.wait.child.workflow_id
            if id_ is None or not looks.left:
                continue
            looks.left -= 1
            of_child = Explain(org_id=asked.org_id, subject="workflow", id=id_)
            explained = await self._explained(of_child, looks)
            if explained is not None:
                found[id_] = explained
        return found

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
