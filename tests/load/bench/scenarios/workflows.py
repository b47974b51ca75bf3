"""Users' workflows: three durable steps by one caller and by many, and those that sleep.

Of the machine driver, whose every step is a task, and of the code driver.
"""

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
    """One caller, one workflow at a time: of the machine driver, then of the code driver."""
    await _alone(bench, "workflow3", code=False)
    await _alone(bench, "code_workflow3", code=True)


async def _alone(bench: Bench, key: str, *, code: bool) -> None:
    bench.progress.part(f"{_kind(code=code)} workflows, one caller")
    plan, ours = bench.plan, driving(bench)
    recount = await bench.ground.recount()
    async with ours.handlers(1):
        order = Workflows(
            place=ours.place, code=code, clients=1, warm_s=plan.warm_s, window_s=plan.one_s
        )
        answer = await ours.ask(order)
    await ended(bench, recount, answer.ended, key)
    took = bench.gathered.histogram(f"{key}_ms", Histogram.summed([answer.took_ms]))
    bench.gathered.figures[f"{key}_p50_ms"] = took.p50
    bench.gathered.figures[f"{key}_p99_ms"] = took.p99


async def steps(bench: Bench) -> None:
    """Many callers, each with one workflow at a time: of the machine driver, then of the other."""
    await _together(bench, "", code=False)
    await _together(bench, "code_", code=True)


async def _together(bench: Bench, prefix: str, *, code: bool) -> None:
    """`prefix` is that of the keys."""
    bench.progress.part(f"{_kind(code=code)} workflows, {MANY} callers")
    plan, ours = bench.plan, driving(bench)
    recount, before = await bench.ground.recount(), await bench.mark()
    said = await bench.ground.statements() if bench.ground.database is not None else None
    async with ours.handlers(plan.handlers), bench.profiler():
        order = Workflows(
            place=ours.place,
            code=code,
            clients=MANY // CALLERS,
            warm_s=plan.warm_s,
            window_s=plan.many_s,
        )
        answers = await ours.ask_all([order] * CALLERS)
    count = sum(answer.ended for answer in answers)
    await ended(bench, recount, count, f"{prefix}steps")
    cpu_s = sum(answer.cpu_s for answer in answers)
    after = await account(bench, f"{_kind(code=code)} workflows c{MANY}", before, cpu_s, count)
    bench.gathered.histogram(
        f"{prefix}workflow_c{MANY}_ms", Histogram.summed(answer.took_ms for answer in answers)
    )
    figures = bench.gathered.figures
    figures[f"{prefix}steps_per_s_c{MANY}"] = STEPS * sum(answer.per_s for answer in answers)
    figures |= accounting.writing(before, after, count, f"{prefix}workflow3")
    if said is not None:
        busy = statements.since(said, await bench.ground.statements())
        found = statements.per_turn(busy, 1.0, {}, 1.0, count)
        figures[f"sql_per_{prefix}workflow3"] = sum(one.calls for one in found)
        figures[f"sql_ms_per_{prefix}workflow3"] = sum(one.exec_ms for one in found)


def _kind(*, code: bool) -> str:
    return "code" if code else "declared"


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
