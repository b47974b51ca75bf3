"""Kills the worker that has a turn in hand; the time until another one took it up."""

import asyncio
import os
import signal
import time
from typing import Final

import msgspec

from mainspring_kernel.ids import Prefix, from_wire
from tests.load.bench.bench import Bench
from tests.load.bench.crew import BenchFailed
from tests.load.bench.gathered import recounted
from tests.load.bench.ground import QUERIES, OwnStack
from tests.load.bench.orders import Done
from tests.load.bench.sessions import OUTCOMES, create_session, message
from tests.load.bench.wire import Connection, EventStream, Frame

SECONDS_MAX: Final = 40.0
SETTLE_S: Final = 0.3
# The first attempt says five characters and falls silent; the second one answers.
SCRIPT: Final = {"turns": [{"text": "Hello again.", "stall": {"after_chars": 5, "attempts": 1}}]}
TEXT: Final = f"```llmsim\n{msgspec.json.encode(SCRIPT).decode()}\n```"


class Watch:
    """When each type of event was first seen."""

    def __init__(self) -> None:
        self._seen: dict[str, float] = {}
        self._news = asyncio.Event()

    def __call__(self, frame: Frame) -> None:
        self._seen.setdefault(frame.type, time.monotonic())
        self._news.set()

    async def first(self, *types: str) -> tuple[str, float]:
        async with asyncio.timeout(SECONDS_MAX):
            while True:
                for type_ in types:
                    if type_ in self._seen:
                        return type_, self._seen[type_]
                self._news.clear()
                await self._news.wait()


async def recovery(bench: Bench) -> None:
    """Two workers, one dies; the supervisor starts it again before the next one is killed."""
    bench.progress.part("killed workers")
    ground = bench.own
    await ground.supervisor.start([ground.second_worker()])
    before = await ground.recount()
    seconds: list[float] = []
    for number in range(bench.plan.kills):
        bench.progress.step(f"{number + 1} of {bench.plan.kills}")
        seconds.append(await kill_once(ground, bench.agent_id))
    await ground.supervisor.child("worker-2").stop()
    done = Done(asked=len(seconds), completed=len(seconds))
    bench.gathered.counts["killed workers"] = await recounted(ground, before, [done], "recovery")
    took = bench.gathered.samples("recovery_s", seconds)
    bench.gathered.figures["recovery_p50_s"] = took.p50
    bench.gathered.figures["recovery_p99_s"] = took.p99


async def kill_once(ground: OwnStack, agent_id: str) -> float:
    """From the signal to `reason.recovered` at a client. The turn must complete."""
    connection, watch = Connection(ground.api), Watch()
    session_id = await create_session(connection, agent_id)
    stream = await EventStream.open(
        ground.api, f"/sessions/{session_id}/sse?after_sequence=0", watch
    )
    await connection.call("POST", f"/sessions/{session_id}/messages", message(TEXT))
    await watch.first("output.message.delta")
    holder = await ground.looked_into().fetchval_as(
        str, QUERIES["holder"], from_wire(Prefix.SESSION, session_id)
    )
    child = ground.supervisor.child(holder)
    assert child.pid is not None
    starts = child.starts
    os.kill(child.pid, signal.SIGKILL)
    killed = time.monotonic()
    _, recovered = await watch.first("reason.recovered")
    outcome, _ = await watch.first(*OUTCOMES)
    stream.close()
    connection.close()
    if outcome != "turn.completed":
        msg = f"a turn whose worker was killed ended with {outcome}"
        raise BenchFailed(msg)
    await child.wait_starts(starts + 1)
    await child.wait_healthy()
    await asyncio.sleep(SETTLE_S)
    return recovered - killed
