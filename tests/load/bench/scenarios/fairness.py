"""What one organization's flood does to the wait of another.

Workers that take time for each task are kept busy, first by both at a pace they can bear, then by
one that asks for far more than there is. The other's wait may not grow by more than a fair share of
the workers costs. Arrivals are by chance, as strangers' are: evenly spaced ones never meet, so that
the calm would have no waits to compare with.
"""

from tests.load.bench.bench import Bench
from tests.load.bench.floor import Arrived, Shape, floor
from tests.load.bench.orders import Flow
from tests.load.bench.scenarios.streams import organizations

WORKERS = 4
WORK_MS = 80.0
"""So long that the workers are what everyone waits for, and not the engine."""
CAPACITY_PER_S = WORKERS * 1000 / WORK_MS
QUIET_PART = 0.2
"""Of the workers' time, what the organization asks for whose wait is measured."""
CALM_PART = 0.6
"""What the other one asks for while it behaves: the workers are busy, but nobody waits long."""
FLOOD_PART = 3.0
"""And when it floods."""


async def fairness(bench: Bench) -> None:
    plan = bench.plan
    bench.progress.part("fairness")
    await bench.own.supervisor.child("worker").stop()
    recount = await bench.ground.recount()
    quiet_org, loud_org = await organizations(bench, 2)
    # A session takes one turn at a time, so a flood is many sessions.
    sessions = 2 * round(CAPACITY_PER_S * FLOOD_PART * plan.fair_s)
    shape = Shape(
        workers=WORKERS, slots=1, sessions=sessions, org_ids=(quiet_org, loud_org),
        work_ms=WORK_MS,
    )  # fmt: skip
    async with floor(bench, shape) as ready:
        quiet = Flow(
            org_id=quiet_org,
            config_hash=await ready.introduce(quiet_org),
            per_s=CAPACITY_PER_S * QUIET_PART,
        )
        loud_hash = await ready.introduce(loud_org)

        async def beside(part: float) -> Arrived:
            loud = Flow(org_id=loud_org, config_hash=loud_hash, per_s=CAPACITY_PER_S * part)
            return await ready.arrive([quiet, loud], plan.fair_s, hurry=part > 1, by_chance=True)

        calm = await beside(CALM_PART)
        flooded = await beside(FLOOD_PART)
        bench.gathered.counts["turns of fairness"] = await ready.recounted(recount, "fairness")
    keep(bench, quiet_org, calm, flooded)


def keep(bench: Bench, quiet_org: str, calm: Arrived, flooded: Arrived) -> None:
    gathered = bench.gathered
    gathered.lag("fairness", flooded.lag)
    before = gathered.histogram("wait_beside_calm_ms", calm.histogram(quiet_org))
    after = gathered.histogram("wait_beside_flood_ms", flooded.histogram(quiet_org))
    gathered.figures["fairness_calm_p99_ms"] = before.p99
    gathered.figures["fairness_flood_p99_ms"] = after.p99
    gathered.figures["fairness_ratio"] = after.p99 / before.p99
