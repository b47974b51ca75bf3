"""The gates in Postgres: one statement to read them all, one function per change."""

from typing import Final, cast
from uuid import UUID

import msgspec

from mainspring_engine.domain.circuit import Circuit, CircuitMove, CircuitState
from mainspring_engine.domain.gate_limits import CIRCUIT_ENTRIES_MAX, LIMIT_ENTRIES_MAX
from mainspring_engine.domain.limit import KeyLimit
from mainspring_engine.ports.gates import Board, Drawn, TokenDraw
from mainspring_postgres import Database, Row, load_queries

GATES: Final = load_queries("mainspring_engine.adapters.postgres", "gates.sql")


class PostgresGates:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def board(self, circuits_max: int = CIRCUIT_ENTRIES_MAX) -> Board:
        """In three statements, the version first: what is read later is at least as new."""
        board = await self._read(None, circuits_max)
        weights = await self._database.fetch(GATES["weights"])
        return msgspec.structs.replace(
            board,
            limits=await self._limits(standing=False),
            weights={cast(UUID, row["org_id"]): cast(float, row["weight"]) for row in weights},
        )

    async def move_circuits(self, moves: tuple[CircuitMove, ...]) -> Board:
        ordered = sorted(moves, key=lambda move: move.key)
        await self._database.fetch(
            GATES["move_circuits"],
            [
                (
                    m.key, m.expected_rev, m.state, m.forced, m.failures, m.successes, m.trips,
                    m.reason, m.wait_ms, m.prober,
                )
                for m in ordered
            ],
        )  # fmt: skip
        return await self._read([move.key for move in ordered], len(ordered))

    async def circuits(self, keys: tuple[str, ...]) -> tuple[Circuit, ...]:
        return (await self._read(list(keys), len(keys))).circuits if keys else ()

    async def reset_circuit(self, key: str) -> bool:
        return await self._database.fetchval_as(bool, GATES["reset_circuit"], key)

    # ── limits ──────────────────────────────────────────────────────────────────────────────────

    async def set_limit(self, limit: KeyLimit) -> None:
        await self._database.fetch(
            GATES["set_limit"],
            limit.key,
            limit.at_once,
            limit.rate,
            limit.per_ms,
            limit.burst,
            limit.every_ms,
        )

    async def drop_limit(self, key: str) -> bool:
        return await self._database.fetchval_as(bool, GATES["drop_limit"], key)

    async def limits(self, keys: tuple[str, ...] | None = None) -> tuple[KeyLimit, ...]:
        if keys is None:
            return await self._limits(standing=True)
        rows = await self._database.fetch_as(KeyLimit, GATES["standing"], list(keys))
        return tuple(rows)

    async def draw_tokens(self, draws: tuple[TokenDraw, ...]) -> tuple[Drawn, ...]:
        asked = [(draw.key, draw.wanted, draw.returned) for draw in draws]
        rows = [draw.family or draw.key for draw in draws]
        times = [draw.drawn_us for draw in draws]
        return tuple(await self._database.fetch_as(Drawn, GATES["draw_tokens"], asked, rows, times))

    async def forget_buckets(self, limit: int) -> int:
        return await self._database.fetchval_as(int, GATES["forget_buckets"], limit)

    async def set_weight(self, org_id: UUID, weight: float) -> None:
        await self._database.fetch(GATES["set_weight"], org_id, weight)

    async def _limits(self, *, standing: bool) -> tuple[KeyLimit, ...]:
        rows = await self._database.fetch_as(KeyLimit, GATES["limits"], LIMIT_ENTRIES_MAX, standing)
        return tuple(rows)

    async def _read(self, keys: list[str] | None, most: int) -> Board:
        rows = await self._database.fetch(GATES["board"], most, keys)
        return Board(
            version=cast(int, rows[0]["version"]),
            circuits=tuple(_circuit(row) for row in rows if row["key"] is not None),
        )


def _circuit(row: Row) -> Circuit:
    return Circuit(
        key=cast(str, row["key"]),
        rev=cast(int, row["rev"]),
        state=CircuitState(cast(int, row["state"])),
        forced=cast(bool, row["forced"]),
        failures=cast(int, row["failures"]),
        successes=cast(int, row["successes"]),
        trips=cast(int, row["trips"]),
        reason=cast(str, row["reason"]),
        wait_ms=cast(int, row["wait_ms"]),
        prober=cast("UUID | None", row["prober"]),
        last_failure_ms=cast("int | None", row["last_failure_ms"]),
        opened_ms=cast("int | None", row["opened_ms"]),
        half_open_ms=cast("int | None", row["half_open_ms"]),
    )
