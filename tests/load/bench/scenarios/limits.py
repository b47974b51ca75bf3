"""What the machine itself does at best, so that the other figures can be read beside it."""

from tests.load.bench.bench import Bench
from tests.load.bench.orders import Limits

SECONDS = 1.5
"""Of each rate."""


async def limits(bench: Bench) -> None:
    bench.progress.part("the machine's own limits")
    order = Limits(
        postgres_url=bench.ground.postgres_url,
        nats_url=bench.own.stack.nats.url,
        seconds=SECONDS,
    )
    async with bench.crew(1) as crew:
        (done,) = await crew.do([order], bench.tell)
    bench.gathered.figures |= done.figures
