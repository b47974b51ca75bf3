"""Tasks of a queue: submitted one call each, done by workers in processes of their own."""

import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from statistics import harmonic_mean, median
from typing import Final

import msgspec

from mainspring_postgres import Database, Options
from tests.load.bench import accounting, processes
from tests.load.bench.bench import Bench, account
from tests.load.bench.floor import Shape, floor
from tests.load.bench.ground import QUERIES
from tests.load.bench.peers.drive import Answer, Throughput
from tests.load.bench.peers.driver import OWN, Place
from tests.load.bench.peers.driving import Driving
from tests.load.bench.peers.own import KEYS_OF
from tests.load.bench.peers.traits import OURS
from tests.load.bench.report import Series
from tests.load.bench.wire import Address, Connection

LIMIT_UNREACHED: Final = 100_000
"""Tasks of a key at once: it is counted, and holds nothing back."""
BURSTS: Final = 3
"""Of which the middle one counts, where two ways are compared."""
OLD_S: Final = 60.0
"""The end of a held snapshot's age, by which its cost is told: several sweeps are in it."""
FEW: Final = 8
MANY: Final = 1_000
CROWD_TURNS: Final = 2
"""Of each, so that a machine that becomes slower meanwhile is so to both."""
CROWD_SLOTS: Final = 250
"""Of each worker, so that few could have as much at once as is ever asked for."""


def driving(bench: Bench, engines: Sequence[str] = ()) -> Driving:
    ground = bench.ground
    place = Place(
        server=f"{ground.host}:{ground.port}",
        admin=",".join(engines or ground.engines),
        postgres=ground.postgres_url,
    )
    return Driving(OWN, place, bench.root, bench.folder / "throughput.log")


async def burst(ours: Driving, tasks: int, *, keys: int = 0) -> Answer:
    """From the first submit to the last committed end, which rows tell."""
    place = msgspec.structs.replace(ours.place, keys=keys)
    return await ours.ask(Throughput(place=place, tasks=tasks))


async def bursts(ours: Driving, tasks: int, *, keys: int = 0) -> float:
    """Tasks per second of the middle one of some bursts: one alone differs by a tenth."""
    return median(await rates_of(ours, tasks, keys=keys))


async def rates_of(ours: Driving, tasks: int, *, keys: int = 0) -> list[float]:
    return [(await burst(ours, tasks, keys=keys)).per_s for _ in range(BURSTS)]


async def warm_up(ours: Driving, tasks: int) -> None:
    await burst(ours, max(100, tasks // 20))


async def throughput(bench: Bench) -> None:
    tasks, ours = bench.plan.queue_tasks, driving(bench)
    bench.progress.part(f"queue, {tasks:,} tasks")
    async with ours.handlers(OURS.workers) as pids:
        await warm_up(ours, tasks)
        before, said = await bench.mark(), await bench.ground.statements()
        idle = processes.usage(pids)
        async with bench.profiler():
            answer = await burst(ours, tasks)
        handlers = processes.costs(idle, processes.usage(pids), tasks)
        after = await account(bench, "tasks", before, answer.cpu_s, tasks, handlers)
    figures = bench.gathered.figures
    figures["tasks_per_s"] = answer.per_s
    figures |= accounting.writing(before, after, tasks, "task")
    figures |= accounting.asking(said, await bench.ground.statements(), tasks, "task")
    bench.gathered.counts["tasks of throughput"] = tasks


async def horizon(bench: Bench) -> None:
    """Somebody holds a snapshot, so no dead row can be taken: what a queue's rows then cost."""
    tasks, ours, held_s = bench.plan.queue_tasks, driving(bench), bench.plan.held_s
    bench.progress.part(f"queue, a snapshot held for {held_s:g} s")
    rates = bench.gathered.series.setdefault("tasks beside a held snapshot", Series(unit="tasks/s"))
    async with ours.handlers(OURS.workers), AsyncExitStack() as stack:
        await warm_up(ours, tasks)
        calm = await bursts(ours, tasks)
        options = Options(
            url=bench.ground.postgres_url,
            application_name="mainspring-bench",
            connections_max=1,
            idle_in_transaction_timeout_ms=0,
        )
        holder = await Database.open(options)
        stack.push_async_callback(holder.close)
        snapshot = await stack.enter_async_context(holder.snapshot())
        await snapshot.fetch(QUERIES["server_version"])
        began, line = time.monotonic(), rates.lines.setdefault("tasks", [])
        while (age_s := time.monotonic() - began) < held_s or len(line) < BURSTS:
            line.append((age_s, (await burst(ours, tasks)).per_s))
        # Tasks by time: what bursts beside a pass over leases lost is in it, and no more than that.
        held = harmonic_mean([per_s for at_s, per_s in line if at_s >= line[-1][0] - OLD_S])
        dead = {one.name: one.dead for one in await accounting.dead_tuples(bench.ground)}
    figures = bench.gathered.figures
    figures["horizon_held_s"] = time.monotonic() - began
    figures["horizon_calm_tasks_per_s"] = calm
    figures["horizon_held_tasks_per_s"] = held
    figures["horizon_cost_percent"] = 100 * (1 - held / calm)
    figures["horizon_dead_task_rows"] = dead.get("engine.task", 0)


async def keyed(bench: Bench) -> None:
    """Plain tasks, then tasks of many keys, each of which has a limit that is never reached."""
    tasks, count, ours = bench.plan.queue_tasks, bench.plan.keys, driving(bench)
    bench.progress.part(f"queue, {count:,} keys")
    api = Connection(Address(host=bench.ground.host, port=bench.ground.port))
    path = f"/durable/limits/key:{KEYS_OF}*"
    async with ours.handlers(OURS.workers):
        await warm_up(ours, tasks)
        plain = await bursts(ours, tasks)
        await api.call("PUT", path, msgspec.json.encode({"at_once": LIMIT_UNREACHED}))
        await burst(ours, count, keys=count)  # a first task of each key makes its route
        of_keys = await bursts(ours, tasks, keys=count)
        await api.call("DELETE", path, None)
    api.close()
    figures = bench.gathered.figures
    figures["keys_plain_tasks_per_s"] = plain
    figures["keys_tasks_per_s"] = of_keys
    figures["keys_cost_percent"] = 100 * (1 - of_keys / plain)


async def crowd(bench: Bench) -> None:
    """Bursts among a few workers' streams and among a thousand, in turns."""
    tasks, ours, figures = bench.plan.queue_tasks, driving(bench), bench.gathered.figures
    rates: dict[int, list[float]] = {FEW: [], MANY: []}
    for turn, workers in enumerate((FEW, MANY) * CROWD_TURNS, start=1):
        bench.progress.part(f"queue, {workers:,} workers, {turn} of {2 * CROWD_TURNS}")
        async with floor(bench, Shape(workers=workers, slots=CROWD_SLOTS, sessions=1)):
            await warm_up(ours, tasks)
            rates[workers] += await rates_of(ours, tasks)
    for workers, found in rates.items():
        figures[f"crowd_{workers}_tasks_per_s"] = median(found)
    figures["crowd_ratio"] = (
        figures[f"crowd_{MANY}_tasks_per_s"] / figures[f"crowd_{FEW}_tasks_per_s"]
    )
