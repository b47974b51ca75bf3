"""The gates in memory: the same answers as in Postgres, under the lock of all twins."""

from contextlib import AbstractContextManager

import msgspec

from mainspring_engine.domain.circuit import Circuit, CircuitMove, CircuitState
from mainspring_engine.ports.gates import Board
from mainspring_kernel.clock import Clock
from mainspring_kernel.limits import CIRCUIT_ENTRIES_MAX


class MemoryGates:
    """`lock` is shared by all twins of the process and re-entrant."""

    def __init__(self, *, lock: AbstractContextManager[object], clock: Clock) -> None:
        self._lock = lock
        self._clock = clock
        self._version = 1
        self._circuits: dict[str, Circuit] = {}
        self._until_ms: dict[str, int] = {}

    async def board(self) -> Board:
        with self._lock:
            return self._read(tuple(self._circuits))

    async def move_circuits(self, moves: tuple[CircuitMove, ...]) -> Board:
        with self._lock:
            self._version += 1
            for move in moves:
                before = self._circuits.get(move.key, Circuit(key=move.key))
                if before.rev == move.expected_rev:
                    self._move(before, move)
            return self._read(tuple(move.key for move in moves))

    def _move(self, before: Circuit, move: CircuitMove) -> None:
        now_ms = self._clock.wall_ms()
        opens = move.state is CircuitState.OPEN
        halves = move.state is CircuitState.HALF_OPEN
        self._until_ms[move.key] = now_ms + move.wait_ms
        self._circuits[move.key] = Circuit(
            key=move.key,
            rev=self._version,
            state=move.state,
            forced=move.forced,
            failures=move.failures,
            successes=move.successes,
            trips=move.trips,
            reason=move.reason,
            prober=move.prober,
            last_failure_ms=now_ms if opens and not move.forced else before.last_failure_ms,
            opened_ms=now_ms if opens else before.opened_ms,
            half_open_ms=now_ms if halves else before.half_open_ms,
        )

    async def reset_circuit(self, key: str) -> bool:
        with self._lock:
            self._version += 1
            return self._circuits.pop(key, None) is not None

    def _read(self, keys: tuple[str, ...]) -> Board:
        now_ms = self._clock.wall_ms()
        rows = [self._circuits[key] for key in keys if key in self._circuits]
        rows.sort(key=lambda circuit: -circuit.rev)
        return Board(
            version=self._version,
            circuits=tuple(
                msgspec.structs.replace(row, wait_ms=max(0, self._until_ms[row.key] - now_ms))
                for row in rows[:CIRCUIT_ENTRIES_MAX]
            ),
        )
