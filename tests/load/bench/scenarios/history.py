"""A turn late in a session beside one early in a session."""

from tests.load.bench.bench import Bench
from tests.load.bench.gathered import recounted
from tests.load.bench.orders import Grow

YOUNG_SESSIONS = 8


async def history(bench: Bench) -> None:
    plan = bench.plan
    bench.progress.part(f"a session of {plan.history:,} messages")
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
