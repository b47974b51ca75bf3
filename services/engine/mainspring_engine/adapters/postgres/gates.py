"""The gates in Postgres: one statement to read them all, one function per change."""

from typing import Final, cast
from uuid import UUID

from mainspring_engine.domain.circuit import Circuit, CircuitMove, CircuitState
from mainspring_engine.ports.gates import Board
from mainspring_kernel.limits import CIRCUIT_ENTRIES_MAX
from mainspring_postgres import Database, Row, load_queries

GATES: Final = load_queries("mainspring_engine.adapters.postgres", "gates.sql")


class PostgresGates:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def board(self) -> Board:
        return await self._read(None)

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
        return await self._read([move.key for move in ordered])

    async def reset_circuit(self, key: str) -> bool:
        return await self._database.fetchval_as(bool, GATES["reset_circuit"], key)

    async def _read(self, keys: list[str] | None) -> Board:
        rows = await self._database.fetch(GATES["board"], CIRCUIT_ENTRIES_MAX, keys)
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
