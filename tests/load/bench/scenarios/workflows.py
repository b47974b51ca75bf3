"""Users' workflows: three durable steps by one caller and by many, and those that sleep."""

from tests.load.bench import accounting, statements
from tests.load.bench.bench import Bench, account
from tests.load.bench.crew import BenchFailed
from tests.load.bench.ground import QUERIES, Recount
from tests.load.bench.histograms import Histogram
from tests.load.bench.peers.drive import Naps, Workflows
from tests.load.bench.peers.driver import OWN, Place
from tests.load.bench.peers.driving import Driving

STEPS = 3
MANY = 32
CALLERS = 2
"""Processes that the many callers are in."""


def driving(bench: Bench) -> Driving:
    place = Place(
        server=f"{bench.ground.host}:{bench.ground.port}", admin=",".join(bench.ground.engines)
    )
    return Driving(OWN, place, bench.root, bench.folder / "workflows.log")


async def workflow(bench: Bench) -> None:
    """One caller, one workflow at a time."""
    bench.progress.part("workflows, one caller")
    plan, ours = bench.plan, driving(bench)
    recount = await bench.ground.recount()
    async with ours.handlers(1):
        order = Workflows(place=ours.place, clients=1, warm_s=plan.warm_s, window_s=plan.one_s)
        answer = await ours.ask(order)
    await ended(bench, recount, answer.ended, "workflow")
    took = bench.gathered.histogram("workflow3_ms", Histogram.summed([answer.took_ms]))
    bench.gathered.figures["workflow3_p50_ms"] = took.p50
    bench.gathered.figures["workflow3_p99_ms"] = took.p99


async def steps(bench: Bench) -> None:
    """Many callers, each with one workflow at a time."""
    bench.progress.part(f"workflows, {MANY} callers")
    plan, ours = bench.plan, driving(bench)
    recount, before = await bench.ground.recount(), await bench.mark()
    said = await bench.ground.statements() if bench.ground.database is not None else None
    async with ours.handlers(plan.handlers), bench.profiler():
        order = Workflows(
            place=ours.place,
            clients=MANY // CALLERS,
            warm_s=plan.warm_s,
            window_s=plan.many_s,
        )
        answers = await ours.ask_all([order] * CALLERS)
    count = sum(answer.ended for answer in answers)
    await ended(bench, recount, count, "steps")
    cpu_s = sum(answer.cpu_s for answer in answers)
    after = await account(bench, "workflows c32", before, cpu_s, count)
    bench.gathered.histogram(
        "workflow_c32_ms", Histogram.summed(answer.took_ms for answer in answers)
    )
    figures = bench.gathered.figures
    figures[f"steps_per_s_c{MANY}"] = STEPS * sum(answer.per_s for answer in answers)
    figures |= accounting.writing(before, after, count, "workflow3")
    if said is not None:
        busy = statements.since(said, await bench.ground.statements())
        found = statements.per_turn(busy, 1.0, {}, 1.0, count)
        figures["sql_per_workflow3"] = sum(one.calls for one in found)
        figures["sql_ms_per_workflow3"] = sum(one.exec_ms for one in found)


async def timers(bench: Bench) -> None:
    """Many that sleep, and some that fall due in one and the same second."""
    plan, ours = bench.plan, driving(bench)
    bench.progress.part(f"timers, {plan.sleepers:,} asleep")
    await bench.own.looked_into().execute(QUERIES["add_sleepers"], plan.sleepers)
    recount = await bench.ground.recount()
    async with ours.handlers(plan.handlers):
        order = Naps(
            place=ours.place,
            count=plan.naps,
            starting_s=plan.naps_start_s,
            spread_s=plan.naps_spread_s,
        )
        answer = await ours.ask(order)
    await ended(bench, recount, answer.ended, "timers")
    late = bench.gathered.histogram("timer_lateness_ms", Histogram.summed([answer.took_ms]))
    bench.gathered.figures["timer_lateness_p50_ms"] = late.p50
    bench.gathered.figures["timer_lateness_p99_ms"] = late.p99


async def ended(bench: Bench, before: Recount | None, count: int, part: str) -> None:
    """Raises BenchFailed where callers and rows disagree."""
    after = await bench.ground.recount()
    bench.gathered.counts[f"workflows of {part}"] = count
    if before is None or after is None:
        return
    rows, others = after.completed - before.completed, after.others - before.others
    if rows != count or others:
        msg = f"{part}: callers saw {count} workflows end, rows {rows}, and {others} otherwise"
        raise BenchFailed(msg)
