"""What holds ready tasks back, asked before every claim and every optimistic dispatch.

A task that may not pass stays ready: nothing is written about it, and it is claimed when its gate
lets it through. While no gate is shut or limited, asking is one look into an empty dictionary.
"""

import asyncio
import logging
from collections.abc import Callable
from uuid import UUID

from mainspring_engine.domain.circuit import CircuitMove
from mainspring_engine.domain.routes import Route
from mainspring_engine.ports.gates import Board, GateStore
from mainspring_engine.ports.outside import Announcer
from mainspring_engine.usecases.circuits import Circuits
from mainspring_kernel.clock import Clock
from mainspring_kernel.errors import Unavailable
from mainspring_kernel.limits import GATE_PASS_S, GATE_REREAD_S
from mainspring_schema.tasks import Failure

_log = logging.getLogger(__name__)


class Gates:
    """`eased` is called when something that was held may pass.

    `able` says whether a worker here could take anything: otherwise this engine neither claims nor
    probes.
    """

    def __init__(
        self,
        *,
        store: GateStore,
        announcer: Announcer,
        clock: Clock,
        me: UUID,
        able: Callable[[], bool],
    ) -> None:
        self._store = store
        self._announcer = announcer
        self._clock = clock
        self._able = able
        self._moves: dict[str, CircuitMove] = {}
        self._wake = asyncio.Event()
        self._stale = False
        self.circuits = Circuits(clock=clock, me=me, move=self._put)
        self.eased: Callable[[], None] = _nobody

    # ── what may pass ───────────────────────────────────────────────────────────────────────────

    def reserve(self, route: Route, most: int) -> int:
        """How many of `most` tasks of the route may pass now. What is not used is given back."""
        granted = self.circuits.room(route.model, most)
        if granted:
            self.circuits.reserve(route.model, granted)
        return granted

    def unused(self, route: Route, count: int) -> None:
        self.circuits.unused(route.model, count)

    def passed(self, route: Route, task_id: UUID) -> None:
        """A reserved passage is used by this task."""
        self.circuits.passed(route.model, task_id)

    def withdrawn(self, route: Route, task_id: UUID) -> None:
        """A task had passed, and its commit did not come."""
        self.circuits.withdrawn(route.model, task_id)

    def answered(self, key: str, task_id: UUID, failure: Failure | None) -> None:
        """The answer to a model call. `key` is the model of its route; "" names none."""
        if key:
            self.circuits.answered(key, task_id, failure)

    # ── what all know ───────────────────────────────────────────────────────────────────────────

    def look(self) -> None:
        """Another engine moved something."""
        self._stale = True
        self._wake.set()

    async def work(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._move_for_ever())
            group.create_task(self._pass_for_ever())

    async def _move_for_ever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            moves, self._moves = tuple(self._moves.values()), {}
            stale, self._stale = self._stale, False
            try:
                if moves:
                    self._learn(await self._store.move_circuits(moves))
                    self._announcer.gates_moved()
                if stale:
                    self._learn_all(await self._store.board())
            except Unavailable as error:
                # What tipped a circuit will tip it again; the pass reads what was missed.
                _log.warning("gates wait: %s", error)

    async def _pass_for_ever(self) -> None:
        read_at = -GATE_REREAD_S
        while True:
            if self._able():
                self.circuits.probe_due()
                now_s = self._clock.mono()
                if not self.circuits.quiet or now_s - read_at >= GATE_REREAD_S:
                    read_at = now_s
                    self.look()
            await self._clock.sleep(GATE_PASS_S)

    def _put(self, move: CircuitMove) -> None:
        self._moves.setdefault(move.key, move)
        self._wake.set()

    def _learn(self, board: Board) -> None:
        if self.circuits.update(board.circuits):
            self.eased()

    def _learn_all(self, board: Board) -> None:
        if self.circuits.replace(board.circuits):
            self.eased()


def _nobody() -> None:
    pass
