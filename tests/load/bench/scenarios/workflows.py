"""Users' workflows: three durable steps by one caller and by many, and those that sleep.

Of the machine driver, whose every step is a task, and of the code driver, which waits for the
record of each step or does not.
"""

from typing import Final, NamedTuple

from tests.load.bench import accounting, processes
from tests.load.bench.bench import Bench, account
from tests.load.bench.crew import BenchFailed
from tests.load.bench.ground import QUERIES, Recount
from tests.load.bench.histograms import Histogram
from tests.load.bench.peers.drive import Naps, Workflows
from tests.load.bench.peers.driver import OWN, Place
from tests.load.bench.peers.driving import Driving
from tests.load.bench.peers.own import Program

STEPS = 3
MANY = 32
CALLERS = 2
"""Processes that the many callers are in."""
SLEEPERS_PER_STATEMENT = 50_000
"""A million in one statement takes longer than a statement may."""


class Kind(NamedTuple):
    """Whose workflows: `prefix` is that of the keys."""

    program: Program
    prefix: str


KINDS: Final = (
    Kind("declared", ""), Kind("code", "code_"), Kind("pipelined", "pipelined_"),
)  # fmt: skip


def driving(bench: Bench) -> Driving:
    place = Place(
        server=f"{bench.ground.host}:{bench.ground.port}", admin=",".join(bench.ground.engines)
    )
    return Driving(OWN, place, bench.root, bench.folder / "workflows.log")


async def workflow(bench: Bench) -> None:
    """One caller, one workflow at a time, of each kind."""
    for kind in KINDS:
        await _alone(bench, kind)


async def _alone(bench: Bench, kind: Kind) -> None:
    bench.progress.part(f"{kind.program} workflows, one caller")
    plan, ours = bench.plan, driving(bench)
    recount = await bench.ground.recount()
    async with ours.handlers(1):
        order = Workflows(
            place=ours.place,
            program=kind.program,
            clients=1,
            warm_s=plan.warm_s,
            window_s=plan.one_s,
        )
        answer = await ours.ask(order)
    key = f"{kind.prefix}workflow3"
    await ended(bench, recount, answer.ended, key)
    bench.gathered.latency(key, Histogram.summed([answer.took_ms]))


async def steps(bench: Bench) -> None:
    """Many callers, each with one workflow at a time, of each kind."""
    for kind in KINDS:
        await _together(bench, kind)


async def _together(bench: Bench, kind: Kind) -> None:
    bench.progress.part(f"{kind.program} workflows, {MANY} callers")
    plan, ours = bench.plan, driving(bench)
    recount, before = await bench.ground.recount(), await bench.mark()
    said = await bench.ground.statements() if bench.ground.database is not None else None
    async with ours.handlers(plan.handlers) as pids, bench.profiler(kind.program):
        idle = processes.usage(pids)
        order = Workflows(
            place=ours.place,
            program=kind.program,
            clients=MANY // CALLERS,
            warm_s=plan.warm_s,
            window_s=plan.many_s,
        )
        answers = await ours.ask_all([order] * CALLERS)
        busy = processes.usage(pids)
    count = sum(answer.ended for answer in answers)
    await ended(bench, recount, count, f"{kind.prefix}steps")
    cpu_s = sum(answer.cpu_s for answer in answers)
    load = f"{kind.program} workflows c{MANY}"
    after = await account(bench, load, before, cpu_s, count, processes.costs(idle, busy, count))
    bench.gathered.histogram(
        f"{kind.prefix}workflow_c{MANY}_ms", Histogram.summed(answer.took_ms for answer in answers)
    )
    figures = bench.gathered.figures
    figures[f"{kind.prefix}steps_per_s_c{MANY}"] = STEPS * sum(answer.per_s for answer in answers)
    unit = f"{kind.prefix}workflow3"
    figures |= accounting.writing(before, after, count, unit)
    if said is not None:
        figures |= accounting.asking(said, await bench.ground.statements(), count, unit)


async def timers(bench: Bench) -> None:
    """Many that sleep, and some that fall due in one and the same second."""
    plan, ours = bench.plan, driving(bench)
    bench.progress.part(f"timers, {plan.sleepers:,} asleep")
    await _put_to_sleep(bench, plan.sleepers)
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
    bench.gathered.latency("timer_lateness", Histogram.summed([answer.took_ms]))


async def _put_to_sleep(bench: Bench, count: int) -> None:
    database = bench.own.looked_into()
    for at in range(0, count, SLEEPERS_PER_STATEMENT):
        many = min(SLEEPERS_PER_STATEMENT, count - at)
        await database.execute(QUERIES["add_sleepers"], many)
        bench.progress.step(f"{at + many:,} of {count:,} are asleep")


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
