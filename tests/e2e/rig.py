"""A whole stack whose processes a test can kill, freeze, take away, bring back and double."""

import asyncio
import io
import os
import random
import re
import signal
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple, cast
from uuid import uuid4

import httpx
import msgspec

from mainspring_local import home as homes
from mainspring_local import recovery, stack
from mainspring_local.console import Console
from mainspring_local.environment import Settings, project_root
from mainspring_local.invariants import checks
from mainspring_local.program import Program
from mainspring_local.sockets import accepts
from mainspring_local.supervisor import Child, Folders, Supervisor
from mainspring_postgres import Database, Options
from mainspring_testkit.servers import free_port
from tests.e2e.follower import PATIENCE_S, Follower, Json

GATED = Path(__file__).with_name("gated.py")
PLUGINS = Path(__file__).with_name("plugins")
LOOK_S = 0.02
TOOLS = ("current_time", "test_math", "test_weather", "test_gates")
CRASHES = (r'^\{"level":"(ERROR|CRITICAL)"', r"^Traceback \(", r"PANIC:", r"deadlock detected")
_OPEN = "select id from engine.workflow where outcome = 0"
EXPECTED = "listener failing failed"  # one of the plug-ins is there to do so


class Rig:
    """One stack. `kill` leaves the restart to the supervisor; `take_away` does not."""

    def __init__(self, root: Path) -> None:
        self.home = homes.Home(root / "home")
        self.gates = root / "gates"
        self.stack: stack.Stack
        self._supervisor: Supervisor
        self._children: dict[str, Child] = {}
        self._http = httpx.AsyncClient(trust_env=False, timeout=30)
        self._verifier: Database | None = None
        self._said = io.StringIO()
        self._left_open: list[str] = []
        self._written_off: set[str] = set()

    async def start(self) -> None:
        self.home.prepare()
        self.gates.mkdir()
        inherited = {
            **os.environ,
            "MAINSPRING_GATES": str(self.gates),
            "MAINSPRING_LISTENED": str(self.gates),
            "MAINSPRING_WORKER_MCP_LOOPBACK": "1",
            "PYTHONPATH": str(PLUGINS),
        }
        settings = Settings(
            home=self.home.root,
            api_host="127.0.0.1",
            api_port=free_port(),
            insecure_bind=False,
            inherited=inherited,
        )
        self.stack = stack.prepare(settings, project_root(), self.home)
        quiet = Console(self._said)
        folders = Folders(logs=self.home.logs, records=self.home.records)
        self._supervisor = Supervisor(folders, quiet, draw=random.random)
        await asyncio.to_thread(self.stack.postgres.initialise)
        await self.bring(self.stack.postgres.program())
        await self.bring(self.stack.nats.program())
        await stack.migrate(self.stack, quiet)
        for names in (("eventstore", "engine"), ("api",), ("scheduler", "worker")):
            await asyncio.gather(*(self.bring(self.program(name)) for name in names))

    async def stop(self) -> None:
        await self._http.aclose()
        if self._verifier is not None:
            await self._verifier.close()
        await self._supervisor.stop()

    # ── processes ───────────────────────────────────────────────────────────────────────────────

    def program(self, name: str, *, service: str = "", **environment: str) -> Program:
        """A service under `name`; one of another name than its service is a second one."""
        made = stack.service(self.stack, service or name)
        if (service or name) in ("api", "worker"):
            argv = (sys.executable, str(GATED), service or name)
            made = msgspec.structs.replace(made, argv=argv)
        if not service:
            return made
        port = free_port()
        health = "RESOURCE" if service == "api" else service.upper()
        environment = {f"MAINSPRING_{health}_BIND": f"127.0.0.1:{port}", **environment}

        async def answers() -> bool:
            address = environment[f"MAINSPRING_{health}_BIND"]
            host, _, bound = address.rpartition(":")
            return await accepts(host, int(bound)) and await stack.probe(address)

        values = made.environment | environment
        return msgspec.structs.replace(made, name=name, environment=values, healthy=answers)

    async def bring(self, program: Program) -> None:
        """Starts it and returns when it is healthy."""
        (self._children[program.name],) = await self._supervisor.start([program])

    async def take_away(self, name: str) -> Program:
        """Kills it for good; the program, to bring it back."""
        child = self._children.pop(name)
        program = child.program
        child.program = msgspec.structs.replace(program, stop_signal=signal.SIGKILL)
        await child.stop()
        return program

    async def retire(self, name: str) -> None:
        """Stops it in order."""
        await self._children.pop(name).stop()

    def kill(self, name: str) -> Callable[[], Awaitable[float]]:
        """SIGKILL, now. What it returns waits until it is back and says how long that took."""
        child = self._children[name]
        began, starts = time.monotonic(), child.starts
        # What `pg_ctl stop -m immediate` sends: the server is gone at once, without a checkpoint.
        self._signal(child, signal.SIGQUIT if name == "postgres" else signal.SIGKILL)

        async def back() -> float:
            async with asyncio.timeout(PATIENCE_S):
                await child.wait_starts(starts + 1)
                await child.wait_healthy()
            return time.monotonic() - began

        return back

    def freeze(self, name: str) -> None:
        self._signal(self._children[name], signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        self._signal(self._children[name], signal.SIGCONT)

    def _signal(self, child: Child, number: signal.Signals) -> None:
        assert child.pid is not None
        os.kill(child.pid, number)

    def log_of(self, name: str) -> str:
        return "\n".join(self._children[name].log.tail(2000))

    def crashes(self) -> list[str]:
        """Lines of any log that no fault of a test explains."""
        told = re.compile("|".join(CRASHES))
        return [
            said
            for path in sorted(self.home.logs.glob("*.log"))
            for line in path.read_text(errors="replace").splitlines()
            if told.search(line) and EXPECTED not in line
            if (said := f"{path.name}: {line[:600]}") not in self._written_off
        ]

    async def write_off(self) -> None:
        """What a failed test leaves open, or let happen, fails none after it."""
        self._left_open = [row[0] for row in await self.sql(_OPEN)]
        self._written_off.update(self.crashes())

    # ── what a user does ────────────────────────────────────────────────────────────────────────

    @property
    def api(self) -> str:
        return f"{self.stack.api_url}/api/v1"

    async def call(
        self, method: str, path: str, body: Json | None = None, *, api: str = ""
    ) -> Json:
        """As a client does: what is told to come again does so, under one key."""
        headers = {"Idempotency-Key": uuid4().hex} if method == "POST" else {}
        url = f"{api or self.api}{path}"
        ask = partial(self._http.request, method, url, json=body, headers=headers)
        answer = await self._taken(ask, [])
        assert answer.is_success, (method, path, answer.status_code, answer.text)
        return cast("Json", answer.json())

    async def post(self, path: str, body: Json, *, key: str, api: str = "") -> httpx.Response:
        """One try, with whatever came of it. Raises httpx.TransportError."""
        headers = {"Idempotency-Key": key}
        return await self._http.post(f"{api or self.api}{path}", json=body, headers=headers)

    async def session(self, *, tools: tuple[str, ...] = TOOLS) -> str:
        body: Json = {"capabilities": [{"ref": name} for name in tools]}
        return str((await self.call("POST", "/sessions", body))["id"])

    async def insist(self, session_id: str, text: str, *, api: str = "") -> "Insisted":
        """Posts one message until it is taken, as often as it takes, with one key."""
        statuses: list[int] = []
        ask = partial(
            self.post, f"/sessions/{session_id}/messages", message(text), key=uuid4().hex, api=api
        )
        answer = await self._taken(ask, statuses, unheard=httpx.TransportError)
        assert answer.is_success, (answer.status_code, answer.text)
        return Insisted(str(answer.json()["id"]), statuses)

    async def _taken(
        self,
        ask: Callable[[], Awaitable[httpx.Response]],
        statuses: list[int],
        *,
        unheard: type[Exception] | tuple[()] = (),
    ) -> httpx.Response:
        """The first answer that is no 503; 0 among the `statuses` where nobody was heard."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    answer = await ask()
                except unheard:
                    statuses.append(0)
                else:
                    statuses.append(answer.status_code)
                    if answer.status_code != 503:
                        return answer
                    assert float(answer.headers["retry-after"]) > 0
                await asyncio.sleep(LOOK_S)

    async def say(self, session_id: str, text: str, *, api: str = "") -> str:
        """Posts a message; its id."""
        path = f"/sessions/{session_id}/messages"
        return str((await self.call("POST", path, message(text), api=api))["id"])

    @asynccontextmanager
    async def following(
        self, session_id: str, *, apis: tuple[str, ...] = ()
    ) -> AsyncGenerator[Follower]:
        follower = Follower(apis or (self.api,), session_id)
        try:
            yield follower
        finally:
            await follower.close()

    # ── gates ───────────────────────────────────────────────────────────────────────────────────

    def entered(self, gate: str) -> int:
        """How often a call came to the gate."""
        return self.noted(gate, "entered")

    def noted(self, gate: str, what: str) -> int:
        """How often a call wrote this to the ledger outside."""
        ledger = self.gates / f"{gate}.{what}"
        return len(ledger.read_text().splitlines()) if ledger.exists() else 0

    async def until_entered(self, gate: str, *, count: int = 1) -> None:
        await self.until_noted(gate, "entered", count=count)

    async def until_noted(self, gate: str, what: str, *, count: int = 1) -> None:
        await until(lambda: self.noted(gate, what) >= count, f"{gate} was {what} {count} times")

    def open_gate(self, gate: str) -> None:
        (self.gates / f"{gate}.open").touch()

    # ── what is in the tables ───────────────────────────────────────────────────────────────────

    async def sql(self, statement: str) -> list[list[str]]:
        printed = await asyncio.to_thread(self.stack.reading_postgres.psql, "-c", statement)
        return [line.split("|") for line in printed.splitlines()]

    async def until_sql(self, statement: str, wanted: list[list[str]]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while await self.sql(statement) != wanted:  # noqa: ASYNC110 -- rows tell nobody
                await asyncio.sleep(LOOK_S)

    async def steps(self, session_id: str) -> list[recovery.Step]:
        return await recovery.reader(self.stack.reading_postgres)(session_id)

    async def results(self, session_id: str) -> dict[str, recovery.Step]:
        """The committed steps of the session by their keys."""
        return {row.step: row for row in recovery.results(await self.steps(session_id))}

    async def assert_sound(self) -> None:
        """At rest: no invariant is broken, and no process said anything it must not say."""
        async with asyncio.timeout(PATIENCE_S):
            while [row for row in await self.sql(_OPEN) if row[0] not in self._left_open]:  # noqa: ASYNC110 -- rows tell nobody
                await asyncio.sleep(LOOK_S)
        if self._verifier is None:
            url = self.stack.reading_postgres.url()
            options = Options(url=url, application_name="verify", durability_required=False)
            self._verifier = await Database.open(options)
        findings = await checks.examine(self._verifier, checks.invariants())
        assert {one.name: one.violating for one in findings if one.violating} == {}
        assert self.crashes() == []


class Insisted(NamedTuple):
    """A message's id, and how each try to post it was answered; 0 where it was not."""

    message_id: str
    statuses: list[int]


class Script(NamedTuple):
    """What the simulated model shall do, as a message's text."""

    turns: Sequence[Mapping[str, object]]
    token_ms: int = 0

    def text(self, words: str = "Play.") -> str:
        block: Json = {"turns": self.turns, "latency": {"ttft_ms": 0, "token_ms": self.token_ms}}
        return f"{words}\n```llmsim\n{msgspec.json.encode(block).decode()}\n```"


def calls(*made: tuple[str, Mapping[str, object]], text: str = "") -> Json:
    """A step of a script that calls tools."""
    return {
        "text": text,
        "tool_calls": [{"name": name, "arguments": arguments} for name, arguments in made],
    }


def message(text: str) -> Json:
    return {"message": {"role": "user", "content": [{"type": "text", "text": text}]}}


def effects_of(session_id: str) -> str:
    """A query for the states of the session's effects."""
    session = session_id.removeprefix("session_")
    return (
        "select e.state from engine.effect as e"
        " inner join engine.workflow as w on e.workflow_id = w.id"
        f" where w.session_id = '{session}' order by e.step"
    )


def turns_of(session_id: str, *, outcome: int) -> str:
    """A query that counts them."""
    session = session_id.removeprefix("session_")
    return (
        f"select count(*) from engine.workflow where session_id = '{session}'"
        f" and outcome = {outcome}"
    )


async def until(holds: Callable[[], bool], what: str) -> None:
    """For conditions outside the loop: files of other processes."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        await asyncio.sleep(LOOK_S)
