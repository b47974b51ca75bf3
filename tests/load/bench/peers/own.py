"""Ourselves, by the loads that peers get: workflows of the SDK, callers over HTTP.

The worker is the SDK's own; the caller is as lean as the others' are, for it shares the cores.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final, Literal

import msgspec
from msgspec import Struct

from mainspring import Client, Worker, Workflow, do, sleep, step, workflow
from mainspring_kernel.clock import SystemClock
from mainspring_kernel.ids import RandomIds
from mainspring_postgres import Database, Options
from tests.load.bench.ground import QUERIES
from tests.load.bench.peers.driver import Entered, Place
from tests.load.bench.wire import Address, Connection, WireProblem

PATH: Final = "/durable/workflows"
KEYS_OF: Final = "bench:"
"""What the keys of tasks begin with."""
READY_S: Final = 1.0
"""The worker attaches within it; what comes earlier waits and is slow, but not lost."""
WAIT_S: Final = 30
SLOTS: Final = 256
"""Of a worker: many small tasks at once."""


@step
async def same(number: int) -> int:
    return number


@step
async def note(number: int) -> None:
    """A task of the queue: it comes and goes."""


@step
async def due_at(delay_s: float) -> float:
    """On the monotonic clock that all processes of a machine share."""
    return time.monotonic() + delay_s


@workflow(driver="machine")
def three(number: int) -> int:
    return do(same, do(same, do(same, number)))


@workflow
async def three_of_code() -> int:
    return await same(1) + await same(2) + await same(3)


@workflow(pipelined=True)
async def three_pipelined() -> int:
    """A step does not wait until the one before it is recorded."""
    return await same(1) + await same(2) + await same(3)


@workflow
async def nap(delay_s: float) -> float:
    """How many milliseconds after its time it went on."""
    due_s = await due_at(delay_s)
    await sleep(delay_s)
    return (time.monotonic() - due_s) * 1000


Program = Literal["declared", "code", "pipelined"]
"""Each step is a task; a record of the worker that has the workflow; one that is not waited for."""

_PROGRAMS: Final[dict[Program, tuple[Workflow[..., object], list[object]]]] = {
    "declared": (three, [1]),
    "code": (three_of_code, []),
    "pipelined": (three_pipelined, []),
}


class _Described(Struct, frozen=True):
    id: str
    status: str
    result: object = None


_DESCRIBED: Final = msgspec.json.Decoder(_Described)


class Own:
    """`server` of the place is the api, `admin` the engine."""

    def __init__(self, place: Place) -> None:
        host, _, port = place.server.rpartition(":")
        self._api = Address(host=host, port=int(port))
        self._engine = place.admin
        self._postgres = place.postgres
        self._database: Database | None = None
        self._client: Client | None = None
        self._free: list[Connection] = []
        self._keys = place.keys
        self._first = RandomIds(SystemClock()).uuid7()
        """Tasks of this process have later ids: what ended before it need not be counted."""

    async def prepare(self) -> None:
        """Nothing: the stack is there."""

    async def work(self, entered: Entered, ready: Callable[[], None]) -> None:
        programs = [program for program, _ in _PROGRAMS.values()]
        worker = Worker([*programs, nap, note], engine=self._engine, slots=SLOTS)
        asyncio.get_running_loop().call_later(READY_S, ready)
        await worker.run()

    async def open(self) -> None:
        self._client = Client(f"http://{self._api.host}:{self._api.port}")
        if self._postgres:
            options = Options(
                url=self._postgres, application_name="mainspring-bench", connections_max=1
            )
            self._database = await Database.open(options)

    async def close(self) -> None:
        for connection in self._free:
            connection.close()
        if self._client is not None:
            await self._client.close()
        if self._database is not None:
            await self._database.close()

    async def submit(self, numbers: Sequence[int]) -> None:
        """One call per task; the client sends what comes together together."""
        assert self._client is not None
        if len(numbers) == 1:
            await self._client.submit(note, numbers[0])
            return
        client = self._client
        await asyncio.gather(*(self._one(client, number) for number in numbers))

    async def _one(self, client: Client, number: int) -> None:
        if self._keys:
            key = f"{KEYS_OF}{number % self._keys}"
            await client.submitting(note, keys=[key]).submit(number)
        else:
            await client.submit(note, number)

    async def finished(self) -> int | None:
        """Attempts that ended with a result: rows, not what anybody says."""
        if self._database is None:
            return None
        return await self._database.fetchval_as(int, QUERIES["tasks_ended_since"], self._first)

    async def complete(self, number: int) -> None:
        assert self._client is not None
        await (await self._client.submit(note, number)).result()

    async def workflow(self, program: Program = "declared") -> None:
        await self._result(await self._run(*_PROGRAMS[program]))

    async def nap(self, delay_s: float) -> float:
        """How late it went on, in milliseconds."""
        late_ms = await self._result(await self._run(nap, [delay_s]))
        assert isinstance(late_ms, float)
        return late_ms

    async def _run(self, program: "Workflow[..., object]", input_: list[object]) -> _Described:
        body: dict[str, object] = {"type": program.name, "input": input_}
        if program.drawn is not None:
            body["declaration"] = msgspec.Raw(program.drawn.declaration)
        path = f"{PATH}?wait_s={WAIT_S}"
        return _DESCRIBED.decode(await self._call("POST", path, msgspec.json.encode(body)))

    async def _result(self, seen: _Described) -> object:
        """Raises WireProblem where it ends otherwise."""
        while seen.status in ("running", "waiting"):
            path = f"{PATH}/{seen.id}/result?wait_s={WAIT_S}"
            seen = _DESCRIBED.decode(await self._call("GET", path, None))
        if seen.status != "completed":
            msg = f"{seen.id} ended {seen.status}"
            raise WireProblem(msg)
        return seen.result

    async def _call(self, method: str, path: str, body: bytes | None) -> bytes:
        connection = self._free.pop() if self._free else Connection(self._api)
        answer = await connection.call(method, path, body)
        self._free.append(connection)
        return answer
