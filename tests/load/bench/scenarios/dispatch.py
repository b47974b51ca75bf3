"""How long a submitted turn waits for a worker: idle, and among many connected workers.

With the stack's own worker stopped, so that every task goes to a worker whose clock is ours.
"""

from tests.load.bench.bench import Bench, account
from tests.load.bench.floor import Arrived, Shape, floor
from tests.load.bench.gathered import recounted
from tests.load.bench.orders import Flow, Probe
from tests.load.bench.report import Series

SESSIONS_PER_RATE = 2.0
"""Sessions per turn and second: each has so many seconds before its next turn."""


async def dispatch(bench: Bench) -> None:
    await bench.own.supervisor.child("worker").stop()
    await idle(bench)
    for workers in bench.plan.workers:
        await among(bench, workers)


async def idle(bench: Bench) -> None:
    """One at a time with a rest between, and a worker that is the real one but for its model."""
    bench.progress.part("dispatch, idle")
    before = await bench.ground.recount()
    order = Probe(
        host=bench.ground.host,
        port=bench.ground.port,
        agent_id=bench.agent_id,
        engine=bench.ground.engines[0],
        sessions=10,
        samples=bench.plan.dispatch_samples,
        pause_s=bench.plan.dispatch_pause_s,
    )
    async with bench.crew(1) as crew:
        (done,) = await crew.do([order], bench.tell)
    bench.gathered.counts["dispatches"] = await recounted(bench.ground, before, [done], "dispatch")
    found = bench.gathered.samples("dispatch_idle_ms", done.dispatch_ms)
    bench.gathered.figures["dispatch_idle_p50_ms"] = found.p50
    bench.gathered.figures["dispatch_idle_p99_ms"] = found.p99


async def among(bench: Bench, workers: int) -> None:
    """An even pace of turns while so many workers are connected."""
    plan = bench.plan
    bench.progress.part(f"dispatch, {workers:,} workers")
    name = f"dispatch_{workers}_workers"
    recount = await bench.ground.recount()
    sessions = round(plan.tasks_per_s * SESSIONS_PER_RATE)
    shape = Shape(workers=workers, slots=plan.worker_slots, sessions=sessions)
    async with floor(bench, shape) as ready:
        flow = Flow(org_id="", config_hash=await ready.introduce(""), per_s=plan.tasks_per_s)
        await ready.arrive([flow], plan.warm_s)
        before = await bench.mark()
        found = await ready.arrive([flow], plan.dispatch_s)
        await account(bench, name, before, found.clients_cpu_s, len(found.waits))
        bench.gathered.counts[name] = await ready.recounted(recount, name)
    keep(bench, name, found)


def keep(bench: Bench, name: str, found: Arrived) -> None:
    spread = bench.gathered.histogram(f"{name}_ms", found.histogram())
    bench.gathered.figures[f"{name}_p50_ms"] = spread.p50
    bench.gathered.figures[f"{name}_p99_ms"] = spread.p99
    bench.gathered.lag(name, found.lag)
    series = bench.gathered.series.setdefault("dispatch over time", Series(unit="ms"))
    series.lines[f"{name}, P50"] = found.by_second(0.5)
    series.lines[f"{name}, P99"] = found.by_second(0.99)
