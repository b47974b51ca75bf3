"""`demo --kill-worker`: the worker dies in the middle of an answer; what the turn makes of it."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from mainspring_local.client import Event
from mainspring_local.console import Console
from mainspring_local.embedded.postgres import Postgres

QUERY = Path(__file__).with_suffix(".sql")
HASH_CHARACTERS_SHOWN = 12


class Step(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    """`attempt` for a closed attempt, `result` for a committed step."""
    step: str
    fence: int
    hash: str


Reader = Callable[[str], Awaitable[list[Step]]]


class KillWorker:
    """Watches the events of a turn and kills once: after a finished tool, at the next delta."""

    def __init__(self, pid: Callable[[], int | None], read: Reader, console: Console) -> None:
        self._pid = pid
        self._read = read
        self._console = console
        self._tools_completed = 0
        self._before: list[Step] = []
        self._killed_at: float | None = None
        self.recovered_seconds: float | None = None

    async def watch(self, event: Event) -> None:
        match event.type:
            case "tool.completed":
                self._tools_completed += 1
            case "output.message.delta" if self._tools_completed and self._killed_at is None:
                await self._kill(event.session_id)
            case "reason.recovered" if self._killed_at is not None:
                self.recovered_seconds = time.monotonic() - self._killed_at
            case _:
                return

    async def _kill(self, session_id: str) -> None:
        pid = self._pid()
        if pid is None:
            return
        os.kill(pid, signal.SIGKILL)
        self._killed_at = time.monotonic()
        self._console.say(f"killed the worker (pid {pid}) in the middle of its answer")
        # Only now: reading takes long enough for a quick answer to be finished meanwhile.
        self._before = results(await self._read(session_id))

    async def report(self, session_id: str) -> bool:
        """Prints what happened and whether it is what we promise."""
        if self._killed_at is None:
            self._console.say("nothing was killed: the turn streamed no delta after a tool")
            return False
        rows = await self._read(session_id)
        kept = self._report_kept(results(rows))
        fence = max((row.fence for row in rows), default=0)
        self._console.say(f"the answer's fence went up to {fence}")
        if self.recovered_seconds is None:
            self._console.say("the answer was never taken up again")
            return False
        self._console.say(f"taken up again {self.recovered_seconds:.2f} s after the kill")
        return kept and fence > 1

    def _report_kept(self, after: list[Step]) -> bool:
        for row in self._before:
            short = row.hash[:HASH_CHARACTERS_SHOWN]
            word = "unchanged" if row in after else "CHANGED"
            self._console.say(f"step {row.step}: hash {short} {word}, fence {row.fence}")
        return bool(self._before) and all(row in after for row in self._before)


def results(rows: list[Step]) -> list[Step]:
    return [row for row in rows if row.kind == "result"]


def reader(server: Postgres) -> Reader:
    """Reads as the role `server` names; one that may read everything and write nothing will do."""

    async def read(session_id: str) -> list[Step]:
        return await asyncio.to_thread(steps, server, session_id)

    return read


def steps(server: Postgres, session_id: str) -> list[Step]:
    session = session_id.removeprefix("session_")
    options = {"PGOPTIONS": f"-c mainspring.session={session}"}
    lines = server.psql("-f", str(QUERY), environment=options).splitlines()
    return [
        Step(kind=kind, step=step, fence=int(fence), hash=digest)
        for kind, step, fence, digest in (line.split("|") for line in lines)
    ]
