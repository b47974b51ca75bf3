"""A fork of a long session beside one of a young session: how long it takes, how many rows."""

import time
from uuid import UUID

from msgspec import Struct

from mainspring_kernel.ids import Prefix, to_wire
from tests.load.bench.bench import Bench
from tests.load.bench.crew import BenchFailed
from tests.load.bench.gathered import recounted
from tests.load.bench.ground import QUERIES
from tests.load.bench.histograms import Histogram
from tests.load.bench.orders import Grow
from tests.load.bench.wire import Connection


class Grown(Struct, frozen=True):
    session_id: UUID
    events: int


async def fork(bench: Bench) -> None:
    plan, gathered = bench.plan, bench.gathered
    bench.progress.part(f"forks of a session of {plan.fork_messages:,} messages")
    before = await bench.ground.recount()
    async with bench.crew(1) as crew:
        await crew.open(bench.opening(2))
        (done,) = await crew.do([Grow(messages=plan.fork_messages, samples=1)], bench.tell)
    gathered.counts["turns of the session that is forked"] = await recounted(
        bench.ground, before, [done], "fork"
    )
    query = QUERIES["longest_and_shortest"]
    old, young = await bench.ground.looked_into().fetch_as(Grown, query)
    connection = Connection(bench.ground.api)
    try:
        old_ms, old_rows = await _forked(bench, connection, old)
        young_ms, young_rows = await _forked(bench, connection, young)
    finally:
        connection.close()
    if old_rows != young_rows:
        msg = f"a fork of {old.events} events took {old_rows} rows, of {young.events} {young_rows}"
        raise BenchFailed(msg)
    gathered.latency("fork", Histogram.of(old_ms))
    gathered.samples("fork_of_young_ms", young_ms)
    gathered.figures["fork_rows"] = old_rows
    gathered.figures["fork_events"] = old.events


async def _forked(bench: Bench, connection: Connection, session: Grown) -> tuple[list[float], int]:
    """Milliseconds of each fork, and the rows that one of them made."""
    path = f"/sessions/{to_wire(Prefix.SESSION, session.session_id)}/fork"
    before = await _rows(bench)
    took: list[float] = []
    for _ in range(bench.plan.forks):
        from_s = time.perf_counter()
        await connection.call("POST", path, b"{}")
        took.append((time.perf_counter() - from_s) * 1000)
    return took, round((await _rows(bench) - before) / len(took))


async def _rows(bench: Bench) -> int:
    return await bench.ground.looked_into().fetchval_as(int, QUERIES["rows_of_forks"])
