"""A stack with two of each service, each of its connections through a link that can fail."""

import asyncio
import io
import os
import random
import re
import shutil
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import msgspec

from mainspring_kernel.limits import DRAIN_S
from mainspring_local import home as homes
from mainspring_local import stack
from mainspring_local.console import Console
from mainspring_local.environment import Settings
from mainspring_local.program import Program
from mainspring_local.sockets import DRAWN, LOOPBACK, accepts, bind_problem
from mainspring_local.supervisor import Child, Folders, Running, Supervisor, spawn
from mainspring_testkit.servers import free_port
from tests.chaos.forked import MODULES, PATCHED, Nursery
from tests.chaos.proxy import Address, Link
from tests.chaos.trees import PRESENT, Tree, present

REPLICAS: Final = {"eventstore": 2, "engine": 2, "api": 2, "scheduler": 2, "worker": 3, "coder": 3}
"""A coder is a user's own worker. Of three one or two are often frozen."""
WAVES: Final = (("eventstore", "engine"), ("api",), ("scheduler", "worker", "coder"))
SERVERS: Final = ("postgres", "nats")
SERVER_URLS: Final = {"postgres": "MAINSPRING_DATABASE_URL", "nats": "MAINSPRING_NATS_URL"}
NEEDS: Final[dict[str, tuple[str, ...]]] = {
    "eventstore": ("postgres", "nats"),
    "engine": ("postgres", "nats"),
    "api": ("postgres", "nats", "engine", "eventstore"),
    "scheduler": ("postgres", "nats", "engine", "eventstore", "resource"),
    "worker": ("engine", "eventstore", "resource"),
    "coder": ("engine",),
}
SETTINGS: Final = {"recovery_init_sync_method": "syncfs"} if sys.platform == "linux" else {}
"""After a crash all files are synced first: one by one that took five seconds of each restart, and
half a second in one."""
RESTART_DRAW: Final = 0.05
"""Of the supervisor's backoff: a killed service is to be back soon, to be killed again."""
WAIT_S: Final = 120.0
SHOWN_CHARS_MAX: Final = 1_500
"""Of a line of a log."""
EXPLAINED: Final = re.compile(
    "cannot start: |timeout graceful shutdown exceeded"
    # A greeting of NATS that was cut in the middle: its client says so, and connects again.
    r'|"logger":"nats\.aio\.client".*JSONDecodeError'
)
"""Who starts while Postgres goes away or is slow ends, and is started again. An api that drains
does not wait for ever for what waits for somebody frozen."""
LATE: Final = re.compile(r'did not drain within .*"ts":"([^"]+)"')
UNEXPLAINED: Final = re.compile(
    r'^\{"level":"(ERROR|CRITICAL)"|^Traceback \(|PANIC:|deadlock detected'
)
"""What no process may say, whatever is done to it."""
MEANT: Final = re.compile(r"^workflow tardy( of \S+)? failed: WaitTimedOut")
"""The program fails by an error of its own, which is logged with where it was raised."""


class Fleet:
    """`kill` leaves the restart to the supervisor; so does a service that drains.

    All services begin as those of one tree, and each may become that of another.
    """

    def __init__(
        self, root: Path, replicas: Mapping[str, int] = REPLICAS, tree: Tree | None = None
    ) -> None:
        self.home = homes.Home(root / "home")
        self.outside = root / "outside"
        self.links: dict[str, Link] = {}
        """By their name, `api-1>postgres`."""
        self.apis: list[str] = []
        """What clients dial: each through a link of its own."""
        self.stack: stack.Stack
        self.hit: Counter[tuple[str, signal.Signals]] = Counter()
        self.thawed: defaultdict[str, list[float]] = defaultdict(list)
        """When each one went on that had been frozen, in seconds of the wall clock."""
        """Signals that reached a process, by its kind."""
        self._replicas = replicas
        self._first = tree or present()
        self._trees = dict.fromkeys(self.services(), self._first)
        self._nurseries: dict[str, Nursery] = {}
        self._supervisor: Supervisor
        self._children: dict[str, Child] = {}
        self._ports: dict[str, int] = {}

    async def start(self) -> None:
        self.home.prepare()
        self.outside.mkdir()
        settings = Settings(
            home=self.home.root, api_host="127.0.0.1", api_port=free_port(), insecure_bind=False,
            inherited={**os.environ, "MAINSPRING_CHAOS": str(self.outside)},
        )  # fmt: skip
        self.stack = stack.prepare(settings, self._first.root, self.home)
        quiet = Console(io.StringIO())
        folders = Folders(logs=self.home.logs, records=self.home.records)
        self._supervisor = Supervisor(folders, quiet, draw=lambda: RESTART_DRAW, how=self._spawn)
        await asyncio.to_thread(self.stack.postgres.initialise)
        await asyncio.gather(*(self._bring(self._server(name)) for name in SERVERS))
        await stack.migrate(self.stack, quiet)
        self._choose_ports()
        await self._lay_links()
        for services in WAVES:
            programs = [self._program(name) for name in self.services(*services)]
            await asyncio.gather(*map(self._bring, programs))

    async def stop(self) -> None:
        for link in self.links.values():
            link.heal()
        await self._supervisor.stop()
        for nursery in self._nurseries.values():
            await nursery.close()
        for link in self.links.values():
            await link.close()

    def services(self, *kinds: str) -> list[str]:
        """Names of replicas, `worker-2`."""
        wanted = kinds or tuple(self._replicas)
        return [f"{kind}-{n}" for kind in wanted for n in range(1, self._replicas[kind] + 1)]

    # ── wiring ──────────────────────────────────────────────────────────────────────────────────

    def _choose_ports(self) -> None:
        wanted = [*self.services(), *(f"resource-{n}" for n in range(1, self._replicas["api"] + 1))]
        free = (port for port in random.sample(DRAWN, len(DRAWN)) if _free(port))
        self._ports = {name: next(free) for name in wanted}

    def _targets(self, kind: str) -> list[Address]:
        if kind in SERVERS:
            return [("127.0.0.1", self.stack.ports[kind])]
        count = self._replicas["api" if kind == "resource" else kind]
        return [("127.0.0.1", self._ports[f"{kind}-{n}"]) for n in range(1, count + 1)]

    async def _lay_links(self) -> None:
        for service in self.services():
            for need in NEEDS[service.partition("-")[0]]:
                await self._lay(f"{service}>{need}", self._targets(need), need)
        for target, api in zip(self._targets("api"), self.services("api"), strict=True):
            link = await self._lay(f"client>{api}", [target], "api")
            self.apis.append(f"http://127.0.0.1:{link.port}/api/v1")

    async def _lay(self, name: str, targets: list[Address], need: str) -> Link:
        link = self.links[name] = Link(name, targets, postgres=need == "postgres")
        await link.open()
        return link

    def _server(self, name: str) -> Program:
        if name == "nats":
            return self.stack.nats.program()
        return msgspec.structs.replace(self.stack.postgres, settings=SETTINGS).program()

    def _program(self, name: str) -> Program:
        kind = name.partition("-")[0]
        made = stack.service(self.stack, "worker" if kind == "coder" else kind)
        argv = made.argv
        if kind == "coder":
            argv = (sys.executable, "-m", "tests.chaos.coding")
        if kind in ("api", "worker"):
            argv = (sys.executable, "-m", "tests.chaos.service", kind)
        listens = self._listens(name)

        async def answers() -> bool:
            # Its clients come again by themselves; a full probe costs an interpreter each time.
            return all([await accepts("127.0.0.1", port) for port in listens.values()])

        environment = (
            made.environment
            | self._dials(name, made.environment)
            | {
                variable: str(port) if variable == "MAINSPRING_API_PORT" else f"127.0.0.1:{port}"
                for variable, port in listens.items()
            }
            | self._trees[name].environment
        )
        if kind in ("worker", "coder"):
            environment["MAINSPRING_WORKER_NAME"] = name
        return msgspec.structs.replace(
            made, name=name, argv=argv, environment=environment, healthy=answers
        )

    def _listens(self, name: str) -> dict[str, int]:
        """Its own ports, by the variable that tells it."""
        kind, _, number = name.partition("-")
        if kind != "api":
            return {f"MAINSPRING_{kind.upper()}_BIND": self._ports[name]}
        resource = self._ports[f"resource-{number}"]
        return {"MAINSPRING_API_PORT": self._ports[name], "MAINSPRING_RESOURCE_BIND": resource}

    def _dials(self, name: str, environment: Mapping[str, str]) -> dict[str, str]:
        """Everything that it connects to, through its own links."""
        found: dict[str, str] = {}
        for need in NEEDS[name.partition("-")[0]]:
            link = self.links[f"{name}>{need}"]
            if need in SERVERS:
                variable = SERVER_URLS[need]
                found[variable] = _through(environment[variable], link)
            else:
                found[f"MAINSPRING_{need.upper()}_ADDR"] = f"127.0.0.1:{link.port}"
        return found

    # ── processes ───────────────────────────────────────────────────────────────────────────────

    async def _spawn(self, program: Program) -> Running:
        """By the nursery of its tree."""
        if program.name in SERVERS or sys.platform != "linux":
            return await spawn(program)
        tree = self._trees[program.name]
        if tree.name not in self._nurseries:
            environment = self.stack.settings.inherited | tree.environment
            modules = (*MODULES, *PATCHED) if tree.name == PRESENT else MODULES
            self._nurseries[tree.name] = Nursery(environment, modules)
        return await self._nurseries[tree.name].spawn(program)

    async def _bring(self, program: Program) -> None:
        (self._children[program.name],) = await self._supervisor.start([program])

    def send(self, name: str, number: signal.Signals) -> int:
        """How often it had been started before, for `back`."""
        child = self._children[name]
        if child.pid is not None:
            # Between its end and its restart it is as dead as was wanted.
            with suppress(ProcessLookupError):
                os.kill(child.pid, number)
                self.hit[name.partition("-")[0], number] += 1
        return child.starts

    def thaw(self, name: str) -> None:
        self.thawed[name].append(time.time())
        self.send(name, signal.SIGCONT)

    def starts(self, name: str) -> int:
        return self._children[name].starts

    def tree_of(self, name: str) -> Tree:
        return self._trees[name]

    async def become(self, name: str, tree: Tree, number: signal.Signals) -> None:
        """Ends it by that signal, and waits until it serves again as the service of the tree."""
        self._trees[name] = tree
        self._children[name].program = self._program(name)
        await self.back(name, self.send(name, number))

    async def back(self, name: str, starts: int) -> None:
        """Until it is healthy again after that many starts."""
        child = self._children[name]
        async with asyncio.timeout(WAIT_S):
            await child.wait_starts(starts + 1)
            await child.wait_healthy()

    async def healthy(self, name: str) -> None:
        async with asyncio.timeout(WAIT_S):
            await self._children[name].wait_healthy()

    async def without_nats(self, seconds: float, *, wipe: bool) -> None:
        """Kills it, and starts it after a while; with nothing of what it had, where it is wiped."""
        child = self._children.pop("nats")
        program = child.program
        child.program = msgspec.structs.replace(program, stop_signal=signal.SIGKILL)
        await child.stop()
        self.hit["nats", signal.SIGKILL] += 1
        await asyncio.sleep(seconds)
        if wipe:
            shutil.rmtree(self.stack.nats.folder)
        await self._bring(self._server("nats"))

    def storm(self, *, on: bool) -> None:
        if on:
            (self.outside / "storm").touch()
        else:
            (self.outside / "storm").unlink(missing_ok=True)

    def complaints(self) -> list[str]:
        """Lines of any log that no fault explains."""
        return [
            f"{path.name}: {_shown(line)}"
            for path in sorted(self.home.logs.glob("*.log*"))
            for before, line in pairwise(["", *path.read_text(errors="replace").splitlines()])
            if UNEXPLAINED.search(line) and not EXPLAINED.search(line) and not MEANT.search(before)
            if not is_late(line, self.thawed[path.name.partition(".")[0]])
        ]


def is_late(line: str, thawed: Sequence[float]) -> bool:
    """Whether it drained too long for it was frozen meanwhile: one that ends by itself may be.

    `thawed` are seconds of the wall clock, by which the line is dated too.
    """
    said = LATE.search(line)
    if said is None:
        return False
    at = datetime.fromisoformat(said[1]).timestamp()
    return any(at - DRAIN_S <= thaw <= at for thaw in thawed)


def _shown(line: str) -> str:
    """Both ends: it begins with what happened, and ends with the error that was raised."""
    return line if len(line) <= SHOWN_CHARS_MAX else f"{line[:300]} … {line[-1_200:]}"


def _free(port: int) -> bool:
    return bind_problem(LOOPBACK, port) is None


def _through(url: str, link: Link) -> str:
    parts = urlsplit(url)
    credentials = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{credentials}@127.0.0.1:{link.port}"))
