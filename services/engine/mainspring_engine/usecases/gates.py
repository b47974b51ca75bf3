"""What holds ready tasks back, asked before every claim and every optimistic dispatch.

A task that may not pass stays ready: nothing is written about it, and it is claimed when its gate
lets it through. While no gate is shut or limited, asking is one look into an empty dictionary.
Until an engine has read the state of the gates it lets nothing through, so a restart opens none.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from uuid import UUID

from mainspring_engine.domain.circuit import CircuitMove
from mainspring_engine.domain.gate_limits import (
    BUCKETS_FORGOTTEN_MAX,
    BUCKETS_FORGOTTEN_S,
    CIRCUIT_ENTRIES_MAX,
    CIRCUITS_KNOWN_MAX,
    GATE_PASS_S,
    LIMIT_HOLD_S,
)
from mainspring_engine.domain.routes import Route
from mainspring_engine.ports.gates import Board, GateStore
from mainspring_engine.ports.store import ClaimLimit
from mainspring_engine.usecases.circuits import Circuits
from mainspring_engine.usecases.limiter import Limiter
from mainspring_kernel.clock import Clock
from mainspring_kernel.errors import Unavailable
from mainspring_kernel.passes import one_pass
from mainspring_schema.tasks import Failure

_log = logging.getLogger(__name__)


class Gates:
    """`moved` tells the other engines; `eased` is called when something that was held may pass.

    `able` says whether a worker here could take what waits for a circuit: otherwise this engine
    does not probe it.
    """

    def __init__(
        self,
        *,
        store: GateStore,
        moved: Callable[[], None],
        clock: Clock,
        me: UUID,
        able: Callable[[str], bool],
    ) -> None:
        self._store = store
        self._moved = moved
        self._clock = clock
        self.able = able
        self._moves: dict[str, CircuitMove] = {}
        self._wake = asyncio.Event()
        self._stale = False
        self._version: int | None = None
        self._demand = asyncio.Event()
        self._paced = asyncio.Event()
        self.weights: Mapping[UUID, float] = {}
        self.limiter = Limiter(clock=clock, demand=self._demand.set)
        self.circuits = Circuits(clock=clock, me=me, move=self._put)
        self.eased: Callable[[], None] = _nobody

    # ── what may pass ───────────────────────────────────────────────────────────────────────────

    def lets(self, route: Route, task_id: UUID) -> bool:
        """Whether one task may be dispatched without a claim; `withdrawn` undoes it."""
        if self._version is None:
            return False
        if not (self.limiter.any or self.circuits.any):
            return True
        if self.limiter.at_once(route) or not self.reserve(route, 1):
            return False
        self.passed(route, task_id)
        return True

    def reserve(self, route: Route, most: int) -> int:
        """How many of `most` tasks of the route may pass now. What is not used is given back."""
        if self._version is None:
            return 0
        room = self.circuits.room(route.circuit, most)
        if room:
            room = self.limiter.reserve(route, room)
        if room:
            self.circuits.reserve(route.circuit, room)
        return room

    def unused(self, route: Route, count: int, *, unheard: bool = False) -> None:
        """`unheard`: whether they were used nobody knows, so of a rate they were."""
        self.circuits.unused(route.circuit, count)
        if not unheard:
            self.limiter.unused(route, count)

    def passed(self, route: Route, task_id: UUID) -> None:
        """A reserved passage is used by this task."""
        self.circuits.passed(route.circuit, task_id)

    def withdrawn(self, route: Route, task_id: UUID, *, unheard: bool = False) -> None:
        """A task had passed, and was not dispatched after all; `unheard` as in `unused`."""
        self.circuits.withdrawn(route.circuit, task_id)
        if not unheard:
            self.limiter.unused(route, 1)

    def may(self, route: Route, most: int) -> bool:
        """Whether a task of the route could pass now. Nothing is taken; tokens for `most` come."""
        room = self.reserve(route, most)
        self.unused(route, room)
        return room > 0

    def at_once(self, route: Route) -> tuple[ClaimLimit, ...]:
        """What a claim of the route must count."""
        return self.limiter.at_once(route)

    def answered(self, key: str, task_id: UUID, failure: Failure | None) -> None:
        """The answer to a call. `key` is the circuit of its route; "" names none."""
        if key:
            self.circuits.answered(key, task_id, failure)

    # ── what all know ───────────────────────────────────────────────────────────────────────────

    def look(self) -> None:
        """Another engine moved something."""
        self._stale = True
        self._wake.set()

    def seen(self, version: int) -> None:
        """The board's version, as a pass over the ready index saw it."""
        if version != self._version:
            self.look()

    async def work(self) -> None:
        self.look()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._move_for_ever())
            group.create_task(self._pass_for_ever())
            group.create_task(self._draw_for_ever())
            group.create_task(self._pace_for_ever())

    async def _move_for_ever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            moves, self._moves = tuple(self._moves.values()), {}
            stale, self._stale = self._stale, False
            # What tipped a circuit will tip it again; a pass sees that the board is another.
            with one_pass(_log, "what gates let through"):
                if moves:
                    self._learn(await self._store.move_circuits(moves))
                    self._moved()
                if stale:
                    await self.read()

    async def read(self) -> None:
        """Learns how all of them stand. Raises Unavailable."""
        # From the first reading on what holds is known by its key, so that later ones may be short.
        most = CIRCUITS_KNOWN_MAX if self._version is None else CIRCUIT_ENTRIES_MAX
        board = await self._store.board(most)
        self._version = board.version
        self.weights = board.weights
        self.limiter.replace(board.limits)
        circuits = board.circuits
        if len(circuits) >= most:
            # It was cut off: what is missing may still hold something.
            circuits += await self._store.circuits(self.circuits.unread(circuits))
        self.circuits.replace(circuits)
        self.eased()

    async def _pass_for_ever(self) -> None:
        forgotten_s, families = self._clock.mono(), False
        while True:
            # What is not used soon goes back soon: it is worth less the longer it was away.
            await self._clock.sleep(LIMIT_HOLD_S if self.limiter.holds else GATE_PASS_S)
            self.limiter.tidy()
            self.circuits.probe_due(self.able)
            # Also once the last of them was dropped: the buckets of its keys are still there.
            families = families or self.limiter.families
            if families and self._clock.mono() - forgotten_s >= BUCKETS_FORGOTTEN_S:
                forgotten_s = self._clock.mono()
                await self._forget()

    async def _forget(self) -> None:
        with suppress(Unavailable):  # the next time will do
            await self._store.forget_buckets(BUCKETS_FORGOTTEN_MAX)

    async def _draw_for_ever(self) -> None:
        while True:
            await self._demand.wait()
            self._demand.clear()
            with one_pass(_log, "a draw of tokens"):
                await self._draw()
                self._paced.set()

    async def _draw(self) -> None:
        if draws := self.limiter.draws():
            asked_at_s = self._clock.mono()
            found = await self._store.draw_tokens(draws)
            if self.limiter.drawn(found, asked_at_s=asked_at_s):
                self.eased()

    async def _pace_for_ever(self) -> None:
        """Looks again when a bucket that was empty may have a token."""
        while True:
            await self._paced.wait()
            self._paced.clear()
            while (wait_s := self.limiter.wait_s()) is not None:
                await self._clock.sleep(min(wait_s, GATE_PASS_S))
                self.limiter.forget_due()
                self.eased()

    def _put(self, move: CircuitMove) -> None:
        self._moves.setdefault(move.key, move)
        self._wake.set()

    def _learn(self, board: Board) -> None:
        if self.circuits.update(board.circuits):
            self.eased()


def _nobody() -> None:
    pass
