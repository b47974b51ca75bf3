"""The gates in memory: the same answers as in Postgres, under the lock of all twins."""

import math
from contextlib import AbstractContextManager
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_engine.adapters.memory.dispatch import running
from mainspring_engine.adapters.memory.tables import Tables
from mainspring_engine.domain.circuit import Circuit, CircuitMove, CircuitState
from mainspring_engine.domain.gate_limits import CIRCUIT_ENTRIES_MAX
from mainspring_engine.domain.limit import KeyLimit, Limits
from mainspring_engine.ports.gates import Board, Drawn, TokenDraw
from mainspring_kernel.clock import Clock

_ROUNDING: Final = 1e-6
"""Of a token: what came back at once is whole again, whatever sums of floats say."""


class _Bucket(Struct, frozen=True, kw_only=True):
    tokens: float
    filled_ms: int


class MemoryGates:
    """`lock` is shared by all twins of the process and re-entrant."""

    def __init__(
        self, tables: Tables, *, lock: AbstractContextManager[object], clock: Clock
    ) -> None:
        self._tables = tables
        self._lock = lock
        self._clock = clock
        self._limits: dict[str, KeyLimit] = {}
        self._buckets: dict[str, _Bucket] = {}
        self._weights: dict[UUID, float] = {}
        self._circuits: dict[str, Circuit] = {}
        self._until_ms: dict[str, int] = {}

    async def board(self, circuits_max: int = CIRCUIT_ENTRIES_MAX) -> Board:
        with self._lock:
            return msgspec.structs.replace(
                self._read(tuple(self._circuits), circuits_max),
                limits=tuple(self._limits[key] for key in sorted(self._limits)),
                weights=dict(self._weights),
            )

    async def move_circuits(self, moves: tuple[CircuitMove, ...]) -> Board:
        with self._lock:
            self._tables.board += 1
            for move in moves:
                before = self._circuits.get(move.key, Circuit(key=move.key))
                if before.rev == move.expected_rev:
                    self._move(before, move)
            return self._read(tuple(move.key for move in moves), len(moves))

    def _move(self, before: Circuit, move: CircuitMove) -> None:
        now_ms = self._clock.wall_ms()
        opens = move.state is CircuitState.OPEN
        halves = move.state is CircuitState.HALF_OPEN
        self._until_ms[move.key] = now_ms + move.wait_ms
        self._circuits[move.key] = Circuit(
            key=move.key,
            rev=self._tables.board,
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

    async def circuits(self, keys: tuple[str, ...]) -> tuple[Circuit, ...]:
        with self._lock:
            return self._read(keys, len(keys)).circuits

    async def reset_circuit(self, key: str) -> bool:
        with self._lock:
            self._tables.board += 1
            return self._circuits.pop(key, None) is not None

    # ── limits ──────────────────────────────────────────────────────────────────────────────────

    async def set_limit(self, limit: KeyLimit) -> None:
        with self._lock:
            self._tables.board += 1
            self._limits[limit.key] = msgspec.structs.replace(limit, rev=self._tables.board)
            if limit.burst is not None:
                before = self._buckets.get(limit.key)
                tokens = limit.burst if before is None else min(before.tokens, limit.burst)
                filled_ms = self._clock.wall_ms() if before is None else before.filled_ms
                self._buckets[limit.key] = _Bucket(tokens=tokens, filled_ms=filled_ms)

    async def drop_limit(self, key: str) -> bool:
        with self._lock:
            self._tables.board += 1
            self._buckets.pop(key, None)
            return self._limits.pop(key, None) is not None

    async def limits(self, keys: tuple[str, ...] | None = None) -> tuple[KeyLimit, ...]:
        with self._lock:
            known = Limits(self._limits.values())
            found = (known.of(key) for key in sorted(self._limits if keys is None else keys))
            return tuple(
                msgspec.structs.replace(
                    limit, running=running(self._tables, limit.key), tokens=self._tokens(limit)
                )
                for limit in found
                if limit is not None
            )

    async def draw_tokens(self, draws: tuple[TokenDraw, ...]) -> tuple[Drawn, ...]:
        with self._lock:
            rated = [
                (draw, self._limits[row])
                for draw in sorted(draws, key=lambda draw: draw.key)
                if (row := draw.family or draw.key) in self._limits
                and self._limits[row].rate is not None
            ]
            return tuple(self._draw(draw, limit) for draw, limit in rated)

    async def forget_buckets(self, limit: int) -> int:
        with self._lock:
            known = Limits(self._limits.values())
            full = [
                key
                for key in sorted(self._buckets)
                if key not in self._limits
                and ((found := known.of(key)) is None or self._tokens(found) >= (found.burst or 0))
            ][:limit]
            for key in full:
                del self._buckets[key]
            return len(full)

    def _draw(self, draw: TokenDraw, limit: KeyLimit) -> Drawn:
        every_ms = limit.every_ms or 0.0
        keyed = msgspec.structs.replace(limit, key=draw.key, family=draw.family)
        now_ms = self._clock.wall_ms()
        away = (now_ms - draw.drawn_us / 1000) / every_ms if every_ms else 0.0
        tokens = self._tokens(keyed, returned=max(0.0, draw.returned - away))
        granted = max(0, min(draw.wanted, int(tokens + _ROUNDING)))
        self._buckets[draw.key] = _Bucket(tokens=tokens - granted, filled_ms=now_ms)
        wait_ms = math.ceil(max(0.0, 1 - (tokens - granted)) * every_ms)
        return Drawn(key=draw.key, granted=granted, wait_ms=wait_ms, drawn_us=now_ms * 1000)

    def _tokens(self, limit: KeyLimit, *, returned: float = 0.0) -> float:
        bucket = self._buckets.get(limit.key)
        if limit.burst is None or limit.every_ms is None:
            return 0.0
        if bucket is None:
            return float(limit.burst)
        came = max(0, self._clock.wall_ms() - bucket.filled_ms) / limit.every_ms
        return min(float(limit.burst), bucket.tokens + returned + came)

    async def set_weight(self, org_id: UUID, weight: float) -> None:
        with self._lock:
            self._tables.board += 1
            self._weights.pop(org_id, None)
            if weight != 1:
                self._weights[org_id] = weight

    def _read(self, keys: tuple[str, ...], most: int) -> Board:
        now_ms = self._clock.wall_ms()
        rows = [self._circuits[key] for key in keys if key in self._circuits]
        rows.sort(key=lambda it: (not it.forced, it.state is CircuitState.CLOSED, -it.rev))
        return Board(
            version=self._tables.board,
            circuits=tuple(
                msgspec.structs.replace(row, wait_ms=max(0, self._until_ms[row.key] - now_ms))
                for row in rows[:most]
            ),
        )
