"""What a load costs besides time: write-ahead log, commits, dead tuples, CPU and memory."""

import time
from collections.abc import Mapping

from msgspec import Struct

from mainspring_postgres import Database
from tests.load.bench import processes, statements
from tests.load.bench.ground import QUERIES, Ground
from tests.load.bench.processes import Usage
from tests.load.bench.statements import Dead, Snapshot


class Written(Struct, frozen=True, kw_only=True):
    """Marks of one database server, which only rise."""

    wal_bytes: int
    transactions: int


class Mark(Struct, frozen=True, kw_only=True):
    """A moment; the cost of a load lies between two."""

    written: Written | None
    usage: Mapping[str, Usage]
    busy_s: float
    at_s: float


async def mark(ground: Ground) -> Mark:
    return Mark(
        written=None if ground.database is None else await written(ground.database),
        usage=processes.usage(ground.pids()),
        busy_s=processes.busy_s(),
        at_s=time.monotonic(),
    )


async def written(database: Database) -> Written:
    (row,) = await database.fetch_as(Written, QUERIES["written"])
    return row


async def dead_tuples(ground: Ground) -> list[Dead]:
    if ground.database is None:
        return []
    return await ground.database.fetch_as(Dead, QUERIES["dead_tuples"])


def writing(before: Mark, after: Mark, units: int, unit: str) -> dict[str, float]:
    """Figures per turn, task or step.

    Commits are counted by the numbers that transactions take when they write; what is undone alone
    upon a conflict takes one more, so a flight of turns counts twice and of workflows three times.
    """
    if before.written is None or after.written is None or not units:
        return {}
    wal_bytes = after.written.wal_bytes - before.written.wal_bytes
    commits = after.written.transactions - before.written.transactions
    return {f"wal_bytes_per_{unit}": wal_bytes / units, f"commits_per_{unit}": commits / units}


def asking(before: Snapshot, after: Snapshot, units: int, unit: str) -> dict[str, float]:
    """Statements and their milliseconds per turn, task or step, with what an idle stack sends."""
    found = statements.since(before, after).values()
    return {
        f"sql_per_{unit}": sum(one.calls for one in found) / units,
        f"sql_ms_per_{unit}": sum(one.exec_ms for one in found) / units,
    }
