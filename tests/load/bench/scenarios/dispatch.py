"""How long what is submitted waits for a worker: idle, and among many connected workers.

Plain tasks of a queue first, which is what other queues are measured by; then agents' turns, whose
submit is a commit of a message, a workflow, its events and its first task. With the stack's own
worker stopped, so that everything goes to a worker whose clock is ours.
"""

from typing import Final

from tests.load.bench.bench import Bench, account
from tests.load.bench.floor import Arrived, Shape, floor
from tests.load.bench.gathered import recounted
from tests.load.bench.histograms import Histogram
from tests.load.bench.orders import Flow, Kind, Probe
from tests.load.bench.report import Series

SESSIONS_PER_RATE = 2.0
"""Sessions per turn and second: each has so many seconds before its next turn."""
WARM_UP = 10
NAMES: Final[dict[Kind, str]] = {"task": "dispatch", "turn": "dispatch_turn"}
"""What the keys begin with."""


async def dispatch(bench: Bench) -> None:
    await bench.own.supervisor.child("worker").stop()
    for kind in NAMES:
        await idle(bench, kind)
    for workers in bench.plan.workers:
        await among(bench, workers, "task")
    if bench.plan.workers:
        await among(bench, bench.plan.workers[0], "turn")


async def idle(bench: Bench, kind: Kind) -> None:
    """One at a time with a rest between, and a worker that is the real one but for its work."""
    name = f"{NAMES[kind]}_idle"
    bench.progress.part(f"dispatch of {kind}s, idle")
    before = await bench.ground.recount()
    order = Probe(
        kind=kind,
        host=bench.ground.host,
        port=bench.ground.port,
        agent_id=bench.agent_id,
        engine=bench.ground.engines[0],
        warm_up=WARM_UP,
        samples=bench.plan.dispatch_samples,
        pause_s=bench.plan.dispatch_pause_s,
    )
    async with bench.crew(1) as crew:
        (done,) = await crew.do([order], bench.tell)
    bench.gathered.counts[name] = await recounted(bench.ground, before, [done], name, kind)
    bench.gathered.latency(name, Histogram.of(done.dispatch_ms))


async def among(bench: Bench, workers: int, kind: Kind) -> None:
    """An even pace while so many workers are connected."""
    plan = bench.plan
    bench.progress.part(f"dispatch of {kind}s, {workers:,} workers")
    name = f"{NAMES[kind]}_{workers}_workers"
    recount = await bench.ground.recount()
    sessions = round(plan.tasks_per_s * SESSIONS_PER_RATE) if kind == "turn" else 1
    shape = Shape(workers=workers, slots=plan.worker_slots, sessions=sessions)
    async with floor(bench, shape) as ready:
        config_hash = await ready.introduce("") if kind == "turn" else ""
        flow = Flow(kind=kind, org_id="", config_hash=config_hash, per_s=plan.tasks_per_s)
        await ready.arrive([flow], plan.warm_s)
        before = await bench.mark()
        async with bench.profiler(name):
            found = await ready.arrive([flow], plan.dispatch_s)
        await account(bench, name, before, found.clients_cpu_s, len(found.waits))
        bench.gathered.counts[name] = await ready.recounted(recount, name, kind)
    keep(bench, name, found)


def keep(bench: Bench, name: str, found: Arrived) -> None:
    bench.gathered.latency(name, found.histogram())
    bench.gathered.lag(name, found.lag)
    series = bench.gathered.series.setdefault("dispatch over time", Series(unit="ms"))
    series.lines[f"{name}, P50"] = found.by_second(0.5)
    series.lines[f"{name}, P99"] = found.by_second(0.99)
