"""Agent turns in closed loops: clients that each wait for one outcome before they ask again."""

import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from tests.load.bench import accounting, processes, statements
from tests.load.bench.bench import Bench, account
from tests.load.bench.crew import Crew
from tests.load.bench.gathered import recounted
from tests.load.bench.histograms import Histogram
from tests.load.bench.orders import Order, Turn, Turns
from tests.load.bench.report import Series
from tests.load.bench.scenarios.idle import rest, since

TURNS_MAX = 200_000
TURNS_PER_SESSION = 20
SESSIONS_PER_CLIENT = 10
SESSIONS_OF_ONE = 40
CLIENTS_PER_PROCESS = 16
NO_OTHERS: Final[Mapping[str, int]] = MappingProxyType({})


async def turns(bench: Bench) -> None:
    for clients in bench.plan.clients:
        await turns_of(bench, clients)


async def turns_traced(bench: Bench) -> None:
    """The same on a stack that records every trace."""
    for clients in bench.plan.clients:
        await turns_of(bench, clients, "_traced")


async def turns_of(bench: Bench, clients: int, suffix: str = "") -> None:
    name = f"c{clients}{suffix}"
    bench.progress.part(f"turns, {clients} {'client' if clients == 1 else 'clients'}{suffix}")
    size = -(-clients // CLIENTS_PER_PROCESS)
    async with bench.crew(size) as crew:
        await crew.open(bench.opening(max(SESSIONS_OF_ONE, SESSIONS_PER_CLIENT * clients)))
        if clients == 1 and not suffix and bench.ground.database is not None:
            await counted(bench, crew, name)
            return
        before = await bench.ground.statements() if bench.ground.database is not None else None
        asked = await closed_loops(bench, crew, shares(clients, size), name)
        if before is not None:
            # The idle share is left in: it is a thousandth here.
            busy = statements.since(before, await bench.ground.statements())
            found = statements.per_turn(busy, 1.0, {}, 1.0, asked)
            figures = bench.gathered.figures
            figures[f"sql_per_text_turn_{name}"] = sum(one.calls for one in found)
            figures[f"sql_ms_per_text_turn_{name}"] = sum(one.exec_ms for one in found)


async def counted(bench: Bench, crew: Crew, name: str) -> None:
    """One client; its statements are counted on the way."""
    still = await rest(bench, bench.plan.idle_s)
    before, began = await bench.ground.statements(), time.monotonic()
    asked = await closed_loops(bench, crew, (1,), name)
    busy = await since(bench, before, began)
    found = statements.per_turn(busy.rows, busy.seconds, still.rows, still.seconds, asked)
    bench.gathered.statements = found
    figures = bench.gathered.figures
    figures["sql_per_text_turn"] = sum(one.calls for one in found)
    figures["sql_ms_per_text_turn"] = sum(one.exec_ms for one in found)
    figures["sql_blocks_per_text_turn"] = sum(one.blocks for one in found)
    if bench.plan.nested_turns:
        await nested(bench, crew)


async def nested(bench: Bench, crew: Crew) -> None:
    """The statements inside functions, counted in a pass of their own: counting costs."""
    bench.progress.step("statements inside functions")
    await bench.own.track(nested=True)
    still = await rest(bench, bench.plan.idle_s)
    recount = await bench.ground.recount()
    before, began = await bench.ground.statements(), time.monotonic()
    order = Turns(
        slots=1,
        until_s=began + 30,
        turns_max=bench.plan.nested_turns,
        turns_per_session=TURNS_PER_SESSION,
    )
    (done,) = await crew.do([order], bench.tell)
    busy = await since(bench, before, began)
    await bench.own.track(nested=False)
    asked = await recounted(bench.ground, recount, [done], "statements inside functions")
    inside = statements.per_turn(
        statements.of_level(busy.rows, toplevel=False), busy.seconds,
        statements.of_level(still.rows, toplevel=False), still.seconds, asked,
    )  # fmt: skip
    bench.gathered.nested = inside
    bench.gathered.figures["sql_nested_per_text_turn"] = sum(one.calls for one in inside)


async def closed_loops(bench: Bench, crew: Crew, slots: Sequence[int], name: str) -> int:
    """Through a warm-up and a window; how many turns there were in both."""
    window_s = bench.plan.one_s if sum(slots) == 1 else bench.plan.many_s
    async with bench.profiler():
        loops = await looped(bench, crew, slots, name, window_s)
    keep(bench, name, loops, window_s)
    bench.gathered.counts[f"turns {name}"] = loops.asked
    return loops.asked


class Loops(NamedTuple):
    """Turns of a warm-up and of the window, which began then; `inside` are the window's."""

    asked: int
    inside: list[Turn]
    began_s: float


async def looped(
    bench: Bench,
    crew: Crew,
    slots: Sequence[int],
    name: str,
    window_s: float,
    others: Mapping[str, int] = NO_OTHERS,
) -> Loops:
    """`others` are processes beside the stack's own that had a part in it, by name."""
    recount, before = await bench.ground.recount(), await bench.mark()
    usage, began_s = processes.usage(others), time.monotonic() + bench.plan.warm_s
    until_s = began_s + window_s
    orders: list[Order] = [
        Turns(slots=n, until_s=until_s, turns_max=TURNS_MAX, turns_per_session=TURNS_PER_SESSION)
        for n in slots
    ]
    done = await crew.do(orders, bench.tell)
    asked = await recounted(bench.ground, recount, done, f"turns {name}")
    beside = processes.costs(usage, processes.usage(others), asked)
    cpu_s = sum(one.cpu_s for one in done)
    after = await account(bench, f"turns {name}", before, cpu_s, asked, beside)
    bench.gathered.figures |= accounting.writing(before, after, asked, f"turn_{name}")
    inside = [turn for one in done for turn in one.turns if began_s <= turn.ended_s <= until_s]
    return Loops(asked, inside, began_s)


def keep(bench: Bench, name: str, loops: Loops, window_s: float) -> None:
    """What fell into the window: how many, how long each took, and how they came by the second."""
    inside = loops.inside
    bench.gathered.histogram(f"turn_{name}_ms", Histogram.of(turn.ms for turn in inside))
    bench.gathered.figures[f"turns_per_s_{name}"] = len(inside) / window_s
    ended = [turn.ended_s - loops.began_s for turn in inside]
    series = bench.gathered.series.setdefault("turns per second", Series(unit="turns/s"))
    series.lines[name] = per_second(ended, window_s)


def per_second(ended_s: Sequence[float], window_s: float) -> list[tuple[float, float]]:
    """How many ended in each whole second."""
    counts = [0] * int(window_s)
    for at in ended_s:
        if int(at) < len(counts):
            counts[int(at)] += 1
    return [(float(second), float(count)) for second, count in enumerate(counts)]


def shares(clients: int, processes: int) -> list[int]:
    """As even as whole clients can be."""
    least, more = divmod(clients, processes)
    return [least + (number < more) for number in range(processes)]
