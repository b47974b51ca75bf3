"""The ground a bench stands on: a whole stack of its own, or one that is there already."""

import asyncio
import os
import random
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from mainspring_local import environment, home, sockets, stack
from mainspring_local.console import Console
from mainspring_local.program import Program
from mainspring_local.supervisor import Folders, Supervisor
from mainspring_postgres import Database, Options, load_queries
from mainspring_testkit.servers import free_port
from tests.load.bench import statements
from tests.load.bench.crew import BenchFailed
from tests.load.bench.statements import Statement
from tests.load.bench.wire import Address

QUERIES: Final = load_queries("tests.load.bench", "queries.sql")
PROCESSES: Final = ("postgres", "nats", "api", "engine", "eventstore", "scheduler", "worker")
INHERITED: Final = ("PATH", "LANG", "LC_ALL", "HOME", "TMPDIR", "VIRTUAL_ENV")


class Setting(msgspec.Struct, frozen=True):
    name: str
    setting: str


class Outcome(msgspec.Struct, frozen=True):
    outcome: int
    turns: int


class Open(msgspec.Struct, frozen=True):
    name: str
    open: int


class Recount(msgspec.Struct, frozen=True, kw_only=True):
    """What the database says was done."""

    inputs: int
    completed: int
    others: int
    logged: int
    tasks: int
    """Plain tasks that ended with a result."""


class Ground:
    """A stack, whoever started it. Without `database` nothing is recounted or accounted for."""

    def __init__(
        self,
        api: Address,
        engines: Sequence[str],
        database: Database | None,
        *,
        postgres_url: str = "",
    ) -> None:
        self.postgres_url = postgres_url
        self.api = api
        self.engines = list(engines)
        self.database = database

    @property
    def host(self) -> str:
        return self.api.host

    @property
    def port(self) -> int:
        return self.api.port

    def looked_into(self) -> Database:
        """Raises BenchFailed where nobody said how to reach Postgres."""
        if self.database is None:
            msg = "this needs a look into the database: say --postgres URL"
            raise BenchFailed(msg)
        return self.database

    def pids(self) -> dict[str, int]:
        """By process; empty where they are somebody else's."""
        return {}

    async def statements(self) -> dict[statements.Key, Statement]:
        """Sums since whenever; a stretch is the difference of two."""
        rows = await self.looked_into().fetch_as(Statement, QUERIES["statements"])
        return statements.snapshot(rows)

    async def recount(self) -> Recount | None:
        if self.database is None:
            return None
        outcomes = {
            row.outcome: row.turns
            for row in await self.database.fetch_as(Outcome, QUERIES["turns"])
        }
        completed = outcomes.pop(1, 0)
        return Recount(
            inputs=await self.database.fetchval_as(int, QUERIES["inputs"]),
            completed=completed,
            others=sum(outcomes.values()),
            logged=await self.database.fetchval_as(int, QUERIES["completions"]),
            tasks=await self.database.fetchval_as(int, QUERIES["tasks_ended"]),
        )

    async def connections(self) -> dict[str, int]:
        rows = await self.looked_into().fetch_as(Open, QUERIES["connections"])
        return {row.name: row.open for row in rows}

    async def postgres_version(self) -> str:
        if self.database is None:
            return "unknown"
        return await self.database.fetchval_as(str, QUERIES["server_version"])

    async def require_durable(self) -> None:
        """Raises BenchFailed where the server would win time by losing commits."""
        if self.database is None:
            return
        rows = await self.database.fetch_as(Setting, QUERIES["durability"])
        off = [row.name for row in rows if row.setting == "off"]
        if off:
            msg = f"Postgres runs with {', '.join(off)} off"
            raise BenchFailed(msg)


class OwnStack(Ground):
    """Started by the bench: its processes may be counted, stopped and killed."""

    def __init__(self, ready: stack.Stack, supervisor: Supervisor, database: Database) -> None:
        address = Address(host=ready.dialled_host, port=ready.settings.api_port)
        url = ready.postgres.url()
        super().__init__(address, [ready.address("engine")], database, postgres_url=url)
        self.stack = ready
        self.supervisor = supervisor

    def pids(self) -> dict[str, int]:
        found = {name: self.supervisor.child(name).pid for name in PROCESSES}
        return {name: pid for name, pid in found.items() if pid is not None}

    async def track(self, *, nested: bool) -> None:
        database = self.looked_into()
        await database.execute(QUERIES["track_all" if nested else "track_top"])
        await database.fetch(QUERIES["reload"])

    def second_worker(self) -> Program:
        """Another one beside the stack's own."""
        worker, _ = self._second("worker")
        words = worker.environment | {"MAINSPRING_WORKER_NAME": "worker-2"}
        return msgspec.structs.replace(worker, environment=words)

    def second_engine(self) -> tuple[Program, str]:
        """Another one on the same database and bus, and where it answers."""
        return self._second("engine")

    def second_api(self, engines: Sequence[str]) -> tuple[Program, str]:
        """Another one that asks so many engines in turn, and where it answers."""
        own, port = stack.service(self.stack, "api"), free_port()

        async def answers() -> bool:
            return await asyncio.to_thread(stack.http_answers, sockets.LOOPBACK, port)

        words = own.environment | {
            "MAINSPRING_API_PORT": str(port),
            "MAINSPRING_RESOURCE_BIND": f"{sockets.LOOPBACK}:{free_port()}",
            "MAINSPRING_ENGINE_ADDR": ",".join(engines),
        }
        again = msgspec.structs.replace(own, name="api-2", environment=words, healthy=answers)
        return again, f"{sockets.LOOPBACK}:{port}"

    def _second(self, name: str) -> tuple[Program, str]:
        own = stack.service(self.stack, name)
        port = free_port()
        address = f"{sockets.LOOPBACK}:{port}"

        async def answers() -> bool:
            return await sockets.accepts(sockets.LOOPBACK, port) and await stack.probe(address)

        words = own.environment | {f"MAINSPRING_{name.upper()}_BIND": address}
        again = msgspec.structs.replace(own, name=f"{name}-2", environment=words, healthy=answers)
        return again, address


def quiet_environment(inherited: Mapping[str, str], ratio: float) -> dict[str, str]:
    """Nothing of the caller's own settings, keys or endpoints reaches the stack."""
    kept = {name: inherited[name] for name in INHERITED if name in inherited}
    return kept | {
        "MAINSPRING_TRACE_RATIO": str(ratio),
        "MAINSPRING_LOG_LEVEL": "WARNING",
        "MAINSPRING_WORKER_NAME": "worker",
    }


@asynccontextmanager
async def ground(folder: Path, ratio: float) -> AsyncGenerator[OwnStack]:
    """A stack in `folder`; everything it started is gone at the end. Raises StartProblem."""
    settings = environment.Settings(
        home=folder,
        api_host=sockets.LOOPBACK,
        api_port=free_port(),
        insecure_bind=False,
        inherited=quiet_environment(os.environ, ratio),
    )
    where = home.Home(folder)
    where.prepare()
    lock, _ = home.take_lock(where)
    try:
        with (where.logs / "bench.log").open("a") as log:
            console = Console(log)
            ready = stack.prepare(settings, environment.project_root(), where)
            folders = Folders(logs=where.logs, records=where.records)
            supervisor = Supervisor(folders, console, draw=random.random)
            try:
                await stack.start(ready, supervisor, console)
                options = Options(
                    url=ready.postgres.url(), application_name="mainspring-bench",
                    connections_max=2,
                )  # fmt: skip
                database = await Database.open(options)
                try:
                    yield OwnStack(ready, supervisor, database)
                finally:
                    await database.close()
            finally:
                await supervisor.stop()
    finally:
        lock.release()
