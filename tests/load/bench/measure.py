"""The parts of the bench: each brings a load, takes figures, and has its turns recounted."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path

from msgspec import Struct

from tests.load.bench import processes, statements
from tests.load.bench.crew import Crew
from tests.load.bench.gathered import Gathered, recounted
from tests.load.bench.ground import QUERIES, Ground
from tests.load.bench.orders import Done, Grow, Open, Order, Pace, Probe, Turns
from tests.load.bench.plan import Plan
from tests.load.bench.profile import sampled
from tests.load.bench.progress import Progress
from tests.load.bench.report import Cost
from tests.load.bench.statements import Key, Statement

TURNS_MAX = 40_000
TURNS_PER_SESSION = 20
SESSIONS_OF_ONE = 40
SESSIONS_OF_MANY = 320
MANY = 32
STREAMS_PER_ORG = 900
YOUNG_SESSIONS = 8
QUIET_CORES = 0.15  # the bench itself and the kernel's own work stay below


class Bench(Struct, frozen=True, kw_only=True):
    """What every part needs."""

    ground: Ground
    agent_id: str
    plan: Plan
    progress: Progress
    gathered: Gathered
    profile: Path | None = None
    """Where samples of the services go; None takes none."""

    def opening(self, sessions: int, org_ids: Sequence[str] = ("",)) -> Open:
        return Open(
            host=self.ground.host,
            port=self.ground.port,
            agent_id=self.agent_id,
            org_ids=list(org_ids),
            sessions=sessions,
        )

    def crew(self, size: int) -> Crew:
        return Crew(self.ground.stack.root, size)

    def profiler(self) -> AbstractAsyncContextManager[None]:
        if self.profile is None:
            return nullcontext()
        return sampled(self.profile, self.ground.pids(), self.gathered.notes)

    def tell(self, done: int) -> None:
        self.progress.step(f"{done} turns")


class Stretch(Struct, frozen=True, kw_only=True):
    """Statements over some seconds."""

    rows: dict[Key, Statement]
    seconds: float


async def idle(bench: Bench) -> None:
    """Statements and CPU of a stack that nobody uses."""
    bench.progress.part("idle")
    before = processes.usage(bench.ground.pids())
    still = await stretch_of_rest(bench, bench.plan.idle_s)
    after = processes.usage(bench.ground.pids())
    figures = bench.gathered.figures
    figures["idle_queries_per_s"] = statements.calls_per_s(still.rows, still.seconds)
    bench.gathered.costs["idle"] = processes.costs(before, after, 1)
    figures["idle_cpu_percent"] = (
        sum(cost.cpu_s for cost in bench.gathered.costs["idle"]) / still.seconds * 100
    )


async def stretch_of_rest(bench: Bench, seconds: float) -> Stretch:
    await bench.ground.reset_statements()
    began = time.monotonic()
    await asyncio.sleep(seconds)
    return Stretch(rows=await bench.ground.statements(), seconds=time.monotonic() - began)


async def turns_of_one(bench: Bench, suffix: str = "") -> None:
    """One client; its statements are counted on the way."""
    bench.progress.part(f"turns, one client{suffix}")
    async with bench.crew(1) as crew:
        await crew.open(bench.opening(SESSIONS_OF_ONE))
        rest = await stretch_of_rest(bench, bench.plan.idle_s) if not suffix else None
        await bench.ground.reset_statements()
        began = time.monotonic()
        asked = await turns(bench, crew, (1,), f"c1{suffix}")
        if rest is not None:
            busy = await bench.ground.statements()
            seconds = time.monotonic() - began
            found = statements.per_turn(busy, seconds, rest.rows, rest.seconds, asked)
            bench.gathered.statements = found
            bench.gathered.figures["sql_per_text_turn"] = sum(one.calls for one in found)
            bench.gathered.figures["sql_ms_per_text_turn"] = sum(one.exec_ms for one in found)
            bench.gathered.figures["sql_blocks_per_text_turn"] = sum(one.blocks for one in found)
            await nested(bench, crew)


async def nested(bench: Bench, crew: Crew) -> None:
    """The statements inside functions, counted in a pass of their own: counting costs."""
    bench.progress.step("statements inside functions")
    await bench.ground.track(nested=True)
    rest = await stretch_of_rest(bench, bench.plan.idle_s)
    await bench.ground.reset_statements()
    before = await bench.ground.recount()
    began = time.monotonic()
    order = Turns(
        slots=1, until_s=began + 30, turns_max=bench.plan.nested_turns, turns_per_session=20
    )
    (done,) = await crew.do([order], bench.tell)
    busy = await bench.ground.statements()
    seconds = time.monotonic() - began
    await bench.ground.track(nested=False)
    asked = await recounted(bench.ground, before, [done], "statements inside functions")
    inside = statements.per_turn(
        statements.of_level(busy, toplevel=False), seconds,
        statements.of_level(rest.rows, toplevel=False), rest.seconds, asked,
    )  # fmt: skip
    bench.gathered.nested = inside
    bench.gathered.figures["sql_nested_per_text_turn"] = sum(one.calls for one in inside)


async def turns_of_many(bench: Bench, suffix: str = "") -> None:
    bench.progress.part(f"turns, {MANY} clients{suffix}")
    async with bench.crew(2) as crew:
        await crew.open(bench.opening(SESSIONS_OF_MANY))
        await bench.ground.reset_statements()
        asked = await turns(bench, crew, (MANY // 2, MANY // 2), f"c{MANY}{suffix}")
        # The idle share is left in: it is a thousandth here.
        found = statements.per_turn(await bench.ground.statements(), 1.0, {}, 1.0, asked)
        bench.gathered.figures[f"sql_per_text_turn_c{MANY}{suffix}"] = sum(s.calls for s in found)
        bench.gathered.figures[f"sql_ms_per_text_turn_c{MANY}{suffix}"] = sum(
            s.exec_ms for s in found
        )


async def turns(bench: Bench, crew: Crew, slots: Sequence[int], name: str) -> int:
    """Closed loops through a warm-up and a window; how many turns there were in both."""
    plan = bench.plan
    recount = await bench.ground.recount()
    before, busy = processes.usage(bench.ground.pids()), processes.busy_s()
    began = time.monotonic()
    window_s = plan.one_s if sum(slots) == 1 else plan.many_s
    until = began + plan.warm_s + window_s
    orders: list[Order] = [
        Turns(slots=n, until_s=until, turns_max=TURNS_MAX, turns_per_session=TURNS_PER_SESSION)
        for n in slots
    ]
    async with bench.profiler():
        done = await crew.do(orders, bench.tell)
    after, busy = processes.usage(bench.ground.pids()), processes.busy_s() - busy
    seconds = time.monotonic() - began
    asked = await recounted(bench.ground, recount, done, f"turns {name}")
    measured = [
        turn.ms
        for one in done
        for turn in one.turns
        if began + plan.warm_s <= turn.ended_s <= until
    ]
    bench.gathered.samples(f"turn_{name}_ms", measured)
    bench.gathered.figures[f"turns_per_s_{name}"] = len(measured) / window_s
    costs = [*processes.costs(before, after, asked), *clients_cost(done, asked)]
    bench.gathered.costs[f"turns {name}"] = costs
    note_others(bench, name, processes.others(busy, sum(c.cpu_s for c in costs), seconds))
    bench.gathered.counts[f"turns {name}"] = asked
    return asked


def note_others(bench: Bench, name: str, cores: float) -> None:
    """A machine that does other things as well measures them too."""
    if cores > QUIET_CORES:
        bench.gathered.notes.append(
            f"turns {name}: other processes of this machine used {cores:.1f} cores meanwhile"
        )


def clients_cost(done: Sequence[Done], asked: int) -> list[Cost]:
    cpu_s = sum(one.cpu_s for one in done)
    return [
        Cost(process="(clients)", cpu_s=cpu_s, cpu_ms_per_turn=cpu_s * 1000 / asked, memory_mib=0.0)
    ]


async def streams(bench: Bench) -> None:
    """Many open streams, a moderate pace of turns: how late events come."""
    plan = bench.plan
    bench.progress.part(f"{plan.streams} streams")
    org_ids = await organizations(bench, -(-plan.streams // STREAMS_PER_ORG))
    before = await bench.ground.recount()
    async with bench.crew(1) as crew:
        await crew.open(bench.opening(plan.streams, org_ids))
        order = Pace(turns_per_s=plan.stream_turns_per_s, until_s=time.monotonic() + plan.stream_s)
        (done,) = await crew.do([order], bench.tell)
    bench.gathered.counts["streams"] = plan.streams
    bench.gathered.counts["turns with streams"] = await recounted(
        bench.ground, before, [done], "streams"
    )
    late = bench.gathered.samples("sse_commit_to_client_ms", done.late_ms)
    figures = bench.gathered.figures
    figures["sse_commit_to_client_p50_ms"] = late.p50
    figures["sse_commit_to_client_p99_ms"] = late.p99
    if plan.streams == 2000:
        figures["sse_2000_p99_ms"] = late.p99


async def organizations(bench: Bench, count: int) -> list[str]:
    """The default one, and as many more as the streams need."""
    found = [""]
    for number in range(1, count):
        id_ = f"01933b5a-0000-7000-8000-{number:012x}"
        await bench.ground.database.execute(QUERIES["add_organization"], id_, f"bench-{number}")
        found.append(f"org_{id_.replace('-', '')}")
    return found


async def history(bench: Bench) -> None:
    """A turn late in a session beside one early in a session."""
    plan = bench.plan
    bench.progress.part(f"a session of {plan.history} messages")
    before = await bench.ground.recount()
    async with bench.crew(1) as crew:
        await crew.open(bench.opening(1 + YOUNG_SESSIONS))
        order = Grow(messages=plan.history, samples=plan.history_samples)
        (done,) = await crew.do([order], bench.tell)
    bench.gathered.counts["turns of the old session and young ones"] = await recounted(
        bench.ground, before, [done], "history"
    )
    old = bench.gathered.samples("turn_late_in_session_ms", done.old_ms)
    young = bench.gathered.samples("turn_early_in_session_ms", done.young_ms)
    bench.gathered.figures["history_messages"] = plan.history
    bench.gathered.figures["history_cost_ratio"] = old.p50 / young.p50


async def dispatch(bench: Bench) -> None:
    """With the stack's own worker stopped: this one's clock sees both ends."""
    bench.progress.part("dispatch")
    await bench.ground.supervisor.child("worker").stop()
    before = await bench.ground.recount()
    order = Probe(
        host=bench.ground.host,
        port=bench.ground.port,
        agent_id=bench.agent_id,
        engine=bench.ground.stack.address("engine"),
        sessions=10,
        samples=bench.plan.dispatch_samples,
        pause_s=bench.plan.dispatch_pause_s,
    )
    async with bench.crew(1) as crew:
        (done,) = await crew.do([order], bench.tell)
    bench.gathered.counts["dispatches"] = await recounted(bench.ground, before, [done], "dispatch")
    idle_ms = bench.gathered.samples("dispatch_idle_ms", done.dispatch_ms)
    bench.gathered.figures["dispatch_idle_p50_ms"] = idle_ms.p50
    bench.gathered.figures["dispatch_idle_p99_ms"] = idle_ms.p99
