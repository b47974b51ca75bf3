"""A steady load for as long as is asked: what grows that should not."""

import time

from tests.load.bench import accounting
from tests.load.bench.bench import Bench, account
from tests.load.bench.gathered import recounted
from tests.load.bench.histograms import Histogram
from tests.load.bench.orders import Done, Pace
from tests.load.bench.report import Series
from tests.load.bench.sampler import growth

STRETCH_S = 30.0
"""How much is asked of the clients at a time; each stretch is a point of the plot."""
SETTLED_PART = 0.25
"""Caches fill at first; growth counts from here on."""


async def soak(bench: Bench) -> None:
    plan = bench.plan
    bench.progress.part(f"soak, {plan.soak_minutes:g} minutes")
    recount, before = await bench.ground.recount(), await bench.mark()
    began, from_s = time.monotonic(), bench.sampler.elapsed_s()
    until = began + plan.soak_minutes * 60
    latency = bench.gathered.series.setdefault("turns of the soak", Series(unit="ms"))
    whole: list[Done] = []
    turns: list[float] = []
    async with bench.crew(1) as crew:
        await crew.open(bench.opening(plan.soak_sessions))
        while (now := time.monotonic()) < until:
            order = Pace(per_s=plan.soak_per_s, seconds=min(until - now, STRETCH_S))
            (done,) = await crew.do([order], bench.tell)
            found = [turn.ms for turn in done.turns]
            if found:  # what is left of the time may be too short for a turn
                spread = Histogram.of(found).spread()
                latency.lines.setdefault("P50", []).append((now - began, spread.p50))
                latency.lines.setdefault("P99", []).append((now - began, spread.p99))
            turns += found
            whole.append(done)
    asked = await recounted(bench.ground, recount, whole, "soak")
    after = await account(bench, "soak", before, sum(one.cpu_s for one in whole), asked)
    bench.gathered.counts["turns of the soak"] = asked
    figures = bench.gathered.figures
    figures["soak_p99_ms"] = bench.gathered.samples("soak_turn_ms", turns).p99
    figures |= accounting.writing(before, after, asked, "turn_soak")
    settled_s = from_s + (bench.sampler.elapsed_s() - from_s) * SETTLED_PART
    for name, line in bench.sampler.memory.lines.items():
        grown = growth(line, settled_s, bench.sampler.elapsed_s())
        if grown is not None:
            figures[f"soak_rss_growth_percent_{name}"] = grown * 100
