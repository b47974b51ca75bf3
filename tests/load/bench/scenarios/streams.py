"""Many open streams, a moderate pace of turns: how late events come."""

from tests.load.bench.bench import Bench
from tests.load.bench.gathered import recounted
from tests.load.bench.ground import QUERIES
from tests.load.bench.histograms import Histogram
from tests.load.bench.orders import Pace

STREAMS_PER_ORG = 900


async def sse(bench: Bench) -> None:
    for streams in bench.plan.streams:
        await streams_of(bench, streams)


async def streams_of(bench: Bench, streams: int) -> None:
    plan = bench.plan
    bench.progress.part(f"{streams:,} streams")
    org_ids = await organizations(bench, -(-streams // STREAMS_PER_ORG))
    before = await bench.ground.recount()
    async with bench.crew(1) as crew:
        await crew.open(bench.opening(streams, org_ids))
        order = Pace(per_s=plan.stream_turns_per_s, seconds=plan.stream_s)
        (done,) = await crew.do([order], bench.tell)
    load = f"turns with {streams} streams"
    bench.gathered.counts[load] = await recounted(bench.ground, before, [done], load)
    late = bench.gathered.latency(f"sse_{streams}", Histogram.of(done.late_ms))
    if streams == plan.streams[0]:
        figures = bench.gathered.figures
        figures["sse_commit_to_client_p50_ms"] = late.p50
        figures["sse_commit_to_client_p99_ms"] = late.p99


async def organizations(bench: Bench, count: int) -> list[str]:
    """The default one, and as many more as are asked for."""
    found = [""]
    for number in range(1, count):
        id_ = f"01933b5a-0000-7000-8000-{number:012x}"
        name = f"bench-{number}"
        await bench.ground.looked_into().execute(QUERIES["add_organization"], id_, name)
        found.append(f"org_{id_.replace('-', '')}")
    return found
