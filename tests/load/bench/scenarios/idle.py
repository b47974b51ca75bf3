"""A stack that nobody uses: its statements and its CPU."""

import asyncio
import time

from msgspec import Struct

from tests.load.bench import processes, statements
from tests.load.bench.bench import Bench
from tests.load.bench.statements import Key, Statement


class Stretch(Struct, frozen=True, kw_only=True):
    """Statements over some seconds."""

    rows: dict[Key, Statement]
    seconds: float


async def idle(bench: Bench) -> None:
    bench.progress.part("idle")
    before = processes.usage(bench.ground.pids())
    still = await rest(bench, bench.plan.idle_s)
    after = processes.usage(bench.ground.pids())
    figures = bench.gathered.figures
    figures["idle_queries_per_s"] = statements.calls_per_s(still.rows, still.seconds)
    costs = processes.costs(before, after, 1)
    if costs:
        bench.gathered.costs["idle"] = costs
        figures["idle_cpu_percent"] = sum(cost.cpu_s for cost in costs) / still.seconds * 100


async def rest(bench: Bench, seconds: float) -> Stretch:
    """What is sent while nobody asks."""
    before = await bench.ground.statements()
    began = time.monotonic()
    await asyncio.sleep(seconds)
    return await since(bench, before, began)


async def since(bench: Bench, before: dict[Key, Statement], began_s: float) -> Stretch:
    after = await bench.ground.statements()
    seconds = time.monotonic() - began_s
    return Stretch(rows=statements.since(before, after), seconds=seconds)
