"""Cancels turns at work: a model that streams, a tool that runs, a child that is waited for."""

import asyncio
import time
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from tests.load.bench.bench import Bench
from tests.load.bench.crew import BenchFailed
from tests.load.bench.histograms import Histogram
from tests.load.bench.scenarios.recovery import Watch
from tests.load.bench.sessions import OUTCOMES, create_session, message
from tests.load.bench.wire import Address, Connection, EventStream, WireProblem

Json = dict[str, object]


class _Links(Struct, frozen=True):
    child_session_id: str


class _Task(Struct, frozen=True):
    links: _Links


class _Tasks(Struct, frozen=True):
    data: list[_Task]


_TASKS: Final = msgspec.json.Decoder(_Tasks)
STALLING: Final[Json] = {"turns": [{"text": "Hello again.", "stall": {"after_chars": 5}}]}
SLEEPING: Final[Json] = {"name": "bash", "arguments": {"commands": "sleep 60"}}


TOOLS: Final = ("bashkit_shell", "subagents")


def scripted(script: Json) -> str:
    """It may hold another one, whose fence must not end this one's block."""
    text = msgspec.json.encode(script).decode().replace("```", 3 * "\\u0060")
    return f"```llmsim\n{text}\n```"


SPAWNING: Final[Json] = {
    "name": "spawn_agent",
    "arguments": {"name": "child", "instructions": scripted(STALLING), "mode": "foreground"},
}
AT_WORK: Final[Mapping[str, tuple[Json, str]]] = {
    "model": (STALLING, "output.message.delta"),
    "tool": ({"turns": [{"tool_calls": [SLEEPING]}]}, "tool.started"),
    "child": ({"turns": [{"tool_calls": [SPAWNING]}]}, "tool.started"),
}
"""What the cancel has to reach, by the event that says that it is at work."""
CHILD_S_MAX: Final = 10.0


async def cancel(bench: Bench) -> None:
    """One at a time: how long a cancel takes, and not how many there may be."""
    every: list[float] = []
    for what in AT_WORK:
        bench.progress.part(f"cancels while a {what} is at work")
        took = [await cancel_once(bench, what) for _ in range(bench.plan.cancels)]
        bench.gathered.samples(f"cancel_{what}_ms", took)
        every += took
    bench.gathered.latency("cancel", Histogram.of(every))


async def cancel_once(bench: Bench, what: str) -> float:
    """Milliseconds from the POST to `turn.cancelled` at a client, which nobody confirms earlier."""
    script, at_work = AT_WORK[what]
    api, watch = bench.ground.api, Watch()
    connection = Connection(api)
    session_id = await create_session(connection, bench.agent_id, capabilities=TOOLS)
    path = f"/sessions/{session_id}"
    stream = await EventStream.open(api, f"{path}/sse?after_sequence=0", watch)
    await connection.call("POST", f"{path}/messages", message(scripted(script)))
    await watch.first(at_work)
    if what == "child":
        await child_at_work(api, connection, path)
    from_s = time.monotonic()
    await connection.call("POST", f"{path}/cancel", b"{}")
    outcome, ended_s = await watch.first(*OUTCOMES)
    stream.close()
    connection.close()
    if outcome != "turn.cancelled":
        msg = f"a turn that was cancelled while a {what} was at work ended with {outcome}"
        raise BenchFailed(msg)
    return (ended_s - from_s) * 1000


async def child_at_work(api: Address, connection: Connection, path: str) -> None:
    """Returns once the child's model streams."""
    watch = Watch()
    async with asyncio.timeout(CHILD_S_MAX):
        while (  # noqa: ASYNC110 -- rows tell nobody
            stream := await child_stream(api, connection, path, watch)
        ) is None:
            await asyncio.sleep(0.01)
    await watch.first("output.message.delta")
    stream.close()


async def child_stream(
    api: Address, connection: Connection, path: str, watch: Watch
) -> EventStream | None:
    """None while the child's task is there and its session is not, or neither."""
    tasks = _TASKS.decode(await connection.call("GET", f"{path}/tasks", None)).data
    if not tasks:
        return None
    child = f"/sessions/{tasks[0].links.child_session_id}/sse?after_sequence=0"
    try:
        return await EventStream.open(api, child, watch)
    except WireProblem:
        return None
