"""Tasks of a queue: submitted one call each, done by workers in processes of their own."""

from tests.load.bench import accounting, statements
from tests.load.bench.bench import Bench, account
from tests.load.bench.peers.drive import Throughput
from tests.load.bench.peers.driver import OWN, Place
from tests.load.bench.peers.driving import Driving
from tests.load.bench.peers.traits import OURS


async def throughput(bench: Bench) -> None:
    """From the first submit to the last committed end, which rows tell."""
    plan, ground = bench.plan, bench.ground
    tasks = round(OURS.tasks * plan.throughput_part)
    bench.progress.part(f"queue, {tasks:,} tasks")
    place = Place(
        server=f"{ground.host}:{ground.port}",
        admin=",".join(ground.engines),
        postgres=ground.postgres_url,
    )
    ours = Driving(OWN, place, bench.root, bench.folder / "throughput.log")
    async with ours.handlers(OURS.workers):
        await ours.ask(Throughput(place=place, tasks=max(100, tasks // 20)))  # warms up
        before, said = await bench.mark(), await ground.statements()
        async with bench.profiler():
            answer = await ours.ask(Throughput(place=place, tasks=tasks))
        after = await account(bench, "tasks", before, answer.cpu_s, tasks)
    figures = bench.gathered.figures
    figures["tasks_per_s"] = answer.per_s
    figures |= accounting.writing(before, after, tasks, "task")
    busy = statements.since(said, await ground.statements())
    found = statements.per_turn(busy, 1.0, {}, 1.0, tasks)
    figures["sql_per_task"] = sum(one.calls for one in found)
    figures["sql_ms_per_task"] = sum(one.exec_ms for one in found)
    bench.gathered.counts["tasks of throughput"] = tasks
