"""One engine and two of them on the same cores: tasks of a queue, and agents' turns."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from statistics import median
from typing import Final

import msgspec

from mainspring_local.program import Program
from mainspring_local.supervisor import Child
from tests.load.bench.bench import Bench
from tests.load.bench.ground import OwnStack
from tests.load.bench.peers.driving import Driving
from tests.load.bench.peers.traits import OURS
from tests.load.bench.scenarios.throughput import bursts, driving, warm_up
from tests.load.bench.scenarios.turns import (
    CLIENTS_PER_PROCESS,
    SESSIONS_PER_CLIENT,
    looped,
    shares,
)
from tests.load.bench.wire import Address

CLIENTS: Final = 32
WINDOWS: Final = 3
"""Of each way, in turns: a machine that becomes slower meanwhile is so to both."""


async def replicas(bench: Bench) -> None:
    await _tasks(bench)
    await _turns(bench)


async def _tasks(bench: Bench) -> None:
    """One engine, two of them with half of the workers and every other submit each, one again."""
    one = driving(bench)
    alone = await _tasks_of_one(bench, one)
    bench.progress.part("queue, two engines")
    tasks, half = bench.plan.queue_tasks, OURS.workers // 2
    async with _second(bench.own) as (address, api, _):
        two = driving(bench, [address])
        two.place = msgspec.structs.replace(two.place, server=f"{api.host}:{api.port}")
        async with one.handlers(half), two.handlers(OURS.workers - half):
            await warm_up(two, tasks)
            together = await bursts(two, tasks)
    alone = (alone + await _tasks_of_one(bench, one)) / 2
    figures = bench.gathered.figures
    figures["replicas_1_tasks_per_s"] = alone
    figures["replicas_2_tasks_per_s"] = together
    figures["replicas_ratio"] = together / alone


async def _tasks_of_one(bench: Bench, one: Driving) -> float:
    """Before and after: a machine that becomes slower meanwhile is so to both ways."""
    tasks = bench.plan.queue_tasks
    bench.progress.part("queue, one engine")
    async with one.handlers(OURS.workers):
        await warm_up(one, tasks)
        return await bursts(one, tasks)


async def _turns(bench: Bench) -> None:
    """Two workers at one engine, and each at one of two."""
    ground, worker = bench.own, bench.own.second_worker()
    rates: dict[int, list[float]] = {1: [], 2: []}
    for number in range(1, WINDOWS + 1):
        bench.progress.part(f"turns, one engine and two, {number} of {WINDOWS}")
        async with _started(ground, worker) as beside:
            rates[1].append(await _turns_per_s(bench, ground.api, 1, [beside]))
        async with (
            _second(ground) as (address, api, others),
            _started(ground, _at(worker, address)) as beside,
        ):
            rates[2].append(await _turns_per_s(bench, api, 2, [*others, beside]))
    figures = bench.gathered.figures
    for engines, found in rates.items():
        figures[f"replicas_{engines}_turns_per_s"] = median(found)
    figures["replicas_turns_ratio"] = (
        figures["replicas_2_turns_per_s"] / figures["replicas_1_turns_per_s"]
    )


async def _turns_per_s(bench: Bench, api: Address, engines: int, others: Sequence[Child]) -> float:
    """Of closed loops through an api, whatever engines it asks."""
    size, window_s = -(-CLIENTS // CLIENTS_PER_PROCESS), bench.plan.many_s
    opening = bench.opening(SESSIONS_PER_CLIENT * CLIENTS)
    pids = {child.program.name: child.pid for child in others if child.pid is not None}
    async with bench.crew(size) as crew:
        await crew.open(msgspec.structs.replace(opening, host=api.host, port=api.port))
        slots = shares(CLIENTS, size)
        loops = await looped(bench, crew, slots, f"replicas_{engines}", window_s, pids)
    return len(loops.inside) / window_s


@asynccontextmanager
async def _second(ground: OwnStack) -> AsyncGenerator[tuple[str, Address, Sequence[Child]]]:
    """A second engine, and an api that asks both: where each answers."""
    program, address = ground.second_engine()
    asks, where = ground.second_api([*ground.engines, address])
    host, _, port = where.rpartition(":")
    async with _started(ground, program) as engine, _started(ground, asks) as api:
        yield address, Address(host=host, port=int(port)), (engine, api)


@asynccontextmanager
async def _started(ground: OwnStack, program: Program) -> AsyncGenerator[Child]:
    (child,) = await ground.supervisor.start([program])
    try:
        yield child
    finally:
        await child.stop()


def _at(worker: Program, engine: str) -> Program:
    """The same worker, at another engine."""
    words = worker.environment | {"MAINSPRING_ENGINE_ADDR": engine}
    return msgspec.structs.replace(worker, environment=words)
