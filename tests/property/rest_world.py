"""A whole stack in virtual time behind its own REST application, called without a socket."""
# What stands for every port has no type.
# pyright: reportExplicitAny=false, reportAny=false

import asyncio
import gc
from collections.abc import Callable, Coroutine
from functools import cache
from typing import Any, Final, NamedTuple, TypeVar, cast

import msgspec
from litestar import Litestar
from typing_extensions import override

from mainspring_api.adapters.endings import BusEndings
from mainspring_api.adapters.http.app import application
from mainspring_api.adapters.http.looking import engine_monitor
from mainspring_api.adapters.http.services import Services
from mainspring_api.adapters.keys import EnvironmentKeys
from mainspring_api.adapters.vault import EnvelopeVault
from mainspring_api.usecases.outlines import Outlines
from mainspring_kernel.ids import Position
from mainspring_local.dev.roads import DirectOperator
from tests.api.no_spans import NoSpans
from tests.sim.clients import positions
from tests.sim.crash_points import CALM
from tests.sim.loop import Host, SimLoop
from tests.sim.weather import Chance
from tests.sim.world import Api, World

T = TypeVar("T")
Json = dict[str, Any]
Request = tuple[str, str, object, dict[str, str]]
"""Method, path below the version, body, headers."""
V1: Final = "/api/v1"
PATIENCE_S: Final = 60.0
"""Virtual: within it every request is answered."""


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Json:
        return msgspec.json.decode(self.body, type=Json)


class _Present:
    """The services of the stack that is played now: to lay all routes takes longer than a play."""

    def __init__(self) -> None:
        self.services: Services
        self.app: Litestar = application(cast("Services", cast("object", self)))

    def __getattr__(self, name: str) -> object:
        return getattr(self.services, name)


@cache
def _present() -> _Present:
    return _Present()


class Front(World):
    """One api, which also serves REST."""

    def __init__(self, loop: SimLoop, seed: int) -> None:
        weather = msgspec.structs.replace(CALM, engines=2, workers=1, latency_s=0.002, work_s=3.0)
        super().__init__(loop, weather, Chance(seed))
        self.app = _present().app

    @override
    def _api(self, host: Host) -> Api:
        api, clock = super()._api(host), self._clock()
        operator = DirectOperator(self.remote("engine", lambda engine: engine.operator))
        gates = self.remote("engine", lambda engine: engine.gate_control)
        schedules = self.remote("scheduler", lambda one: one.schedules)
        _present().services = Services(
            store=self.tables.api,
            control=api.path.control,
            gates=gates,
            operator=operator,
            log=api.path.log,
            schedules=schedules,
            hub=api.hub,
            endings=BusEndings(),
            monitor=engine_monitor(operator, gates, clock, self._draws()),
            configurations=api.path.configurations,
            outlines=Outlines(self.tables.api, schedules, operator, self.registry),
            credentials=EnvironmentKeys({}),
            vault=EnvelopeVault([]),
            registry=self.registry,
            clock=clock,
            ids=self._ids(clock),
            spans=NoSpans(),
        )
        return api


class Rest:
    """Requests one at a time or at once, each answered in virtual time."""

    def __init__(self, seed: int) -> None:
        self.loop = SimLoop()
        self.world = Front(self.loop, seed)
        self.world.build()
        self._now = 0.0
        self.wait(1.0)

    def wait(self, seconds: float) -> None:
        self._now = max(self._now, self.loop.time()) + seconds
        self.loop.run(self._now)

    def until(self, done: Callable[[], bool], seconds: float) -> bool:
        self._now = max(self._now, self.loop.time()) + seconds
        met = self.loop.run(self._now, done)
        self._now = self.loop.time() if met else self._now
        return met

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        (answer,) = self.at_once((method, path, body, headers))
        return answer

    def at_once(self, *requests: Request) -> list[Answer]:
        host = self.world.places["api-0"].host
        tasks = [host.spawn(self._answered(*request), "request") for request in requests]
        assert self.until(lambda: all(task.done() for task in tasks), PATIENCE_S), requests
        return [task.result() for task in tasks]

    async def _answered(
        self, method: str, path: str, body: object, headers: dict[str, str]
    ) -> Answer:
        found = Answer(0, {}, b"")

        def take(message: Json) -> None:
            nonlocal found
            if message["type"] == "http.response.start":
                found = Answer(message["status"], _decoded(message["headers"]), b"")
            else:
                found = found._replace(body=found.body + message.get("body", b""))

        await self.call(method, path, body, headers, take, asyncio.Event())
        return found

    async def call(
        self, method: str, path: str, body: object, headers: dict[str, str],
        take: Callable[[Json], None], gone: asyncio.Event,
    ) -> None:  # fmt: skip
        """As a server calls the application: `gone` says that the client left."""
        told = False

        async def receive() -> Json:
            nonlocal told
            if told:
                await gone.wait()
                return {"type": "http.disconnect"}
            told = True
            return {"type": "http.request", "body": sent, "more_body": False}

        async def send(message: Json) -> None:
            take(message)

        sent = b"" if body is None else msgspec.json.encode(body)
        given = {"content-type": "application/json"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        plain = cast("Callable[..., Coroutine[Any, Any, None]]", self.world.app)
        await plain(_scope(method, f"{V1}{path}", given), receive, send)

    def close(self) -> None:
        """Ends all that is under way: what is collected in the middle is found in other tests."""
        hosts = [running.host for running in self.world.places.values()]
        tasks = [task for host in hosts for task in host.tasks if not task.done()]
        for task in tasks:
            self.loop.call_soon(task.cancel)
        self.until(lambda: all(task.done() for task in tasks), PATIENCE_S)
        for host in hosts:
            host.tasks.clear()
        gc.collect()


class Watch:
    """One client of a session's stream; `seen` begins with what it asked to go on from."""

    def __init__(self, rest: Rest, session: str, after: int) -> None:
        self.seen = [Position(after, 0)]
        self.status = 0
        self._gone = asyncio.Event()
        self._rest = rest
        path = f"/sessions/{session}/sse?after_sequence={after}"
        self._task = rest.world.places["api-0"].host.spawn(
            rest.call("GET", path, None, {}, self._take, self._gone), "request"
        )
        assert rest.until(lambda: bool(self.status), PATIENCE_S)

    @property
    def open(self) -> bool:
        return not self._task.done()

    def leave(self) -> None:
        self._rest.loop.call_soon(self._gone.set)
        assert self._rest.until(self._task.done, PATIENCE_S)
        self._task.result()

    def _take(self, message: Json) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif self.status == 200:
            self.seen.extend(positions(message.get("body", b"")))


def _scope(method: str, target: str, headers: dict[str, str]) -> Json:
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("api", 80),
    }


def _decoded(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode().lower(): value.decode() for name, value in headers}
