"""Simulated workers on one side, tasks or turns by a schedule on the other, and who met whom."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from tests.load.bench.bench import Bench
from tests.load.bench.crew import BenchFailed, Crew
from tests.load.bench.gathered import recounted
from tests.load.bench.ground import Recount
from tests.load.bench.histograms import Histogram
from tests.load.bench.orders import Arrive, Asked, Done, Flow, Introduce, Kind, Staff, Tally

WORKERS_PER_PROCESS = 1500
ANSWERED_SECONDS_MAX = 30.0
POLL_S = 0.1
START_S = 0.3
_TALLY: Final = Tally()


class Shape(Struct, frozen=True, kw_only=True):
    """`work_ms` is how long each task takes; workers that take no time answer at once."""

    workers: int
    slots: int
    sessions: int
    org_ids: Sequence[str] = ("",)
    work_ms: float = 0.0


class Wait(Struct, frozen=True, array_like=True):
    """From a moment in the schedule until a worker had what was due then."""

    from_s: float
    org_id: str
    ms: float


class Arrived(Struct, frozen=True, kw_only=True):
    waits: list[Wait]
    lag: Histogram
    began_s: float
    clients_cpu_s: float
    """Of the submitting process and the simulated workers together."""

    def histogram(self, org_id: str | None = None) -> Histogram:
        return Histogram.of(w.ms for w in self.waits if org_id is None or w.org_id == org_id)

    def by_second(self, part: float) -> list[tuple[float, float]]:
        """A percentile of each second's waits."""
        seconds: dict[int, Histogram] = {}
        for wait in self.waits:
            second = int(wait.from_s - self.began_s)
            seconds.setdefault(second, Histogram()).record(wait.ms)
        return [(float(at), seconds[at].percentile(part)) for at in sorted(seconds)]


def met(asked: Sequence[Asked], entered: Mapping[str, float]) -> list[Wait]:
    """Raises BenchFailed where something never came to a worker of ours."""
    lost = [one for one in asked if one.id not in entered]
    if lost:
        msg = f"{len(lost)} of {len(asked)} tasks or turns came to no simulated worker"
        raise BenchFailed(msg)
    return [Wait(one.from_s, one.org_id, (entered[one.id] - one.from_s) * 1000) for one in asked]


class Floor:
    def __init__(self, bench: Bench, staff: Crew, clients: Crew) -> None:
        self._bench = bench
        self._staff = staff
        self._clients = clients
        self._entered: dict[str, float] = {}
        self._config_hash = ""
        self._asked = 0
        self._answered = 0
        self._cpu_s = 0.0
        self._breaks: Counter[str] = Counter()

    async def introduce(self, org_id: str) -> str:
        """The hash of the organization's configuration, which the engine knows from now on."""
        await self._clients.do([Introduce(org_id=org_id)], self._bench.tell)
        self._asked += 1
        await self._settle()
        return self._config_hash

    async def arrive(
        self, flows: Sequence[Flow], seconds: float, *, hurry: bool = False, by_chance: bool = False
    ) -> Arrived:
        """Returns when everything that was asked for is answered. Raises BenchFailed.

        `hurry` works off what still waits at the end without taking time for it.
        """
        began = time.monotonic() + START_S
        order = Arrive(
            engine=self._bench.ground.engines[0],
            flows=list(flows),
            began_s=began,
            seconds=seconds,
            by_chance=by_chance or self._bench.plan.by_chance,
        )
        (done,) = await self._clients.do([order], self._bench.tell)
        if done.steered:
            msg = f"{done.steered} messages met a turn that was still going on: the engine is slow"
            raise BenchFailed(msg)
        self._asked += done.asked
        if hurry:
            await self._tally(Tally(hurry=True))
        await self._settle()
        waits = met(done.submitted, self._entered)
        cpu_s, self._cpu_s = self._cpu_s + done.cpu_s, 0.0
        lag = Histogram.summed([done.lag])
        return Arrived(waits=waits, lag=lag, began_s=began, clients_cpu_s=cpu_s)

    async def recounted(self, before: Recount | None, load: str, kind: Kind = "turn") -> int:
        for reason, count in self._breaks.items():
            self._bench.gathered.notes.append(f"{load}: {count} worker streams broke: {reason}")
        done = Done(asked=self._asked, completed=self._answered)
        return await recounted(self._bench.ground, before, [done], load, kind)

    async def _settle(self) -> None:
        deadline = time.monotonic() + ANSWERED_SECONDS_MAX
        await self._tally()
        while self._answered < self._asked:
            if time.monotonic() > deadline:
                msg = f"{self._answered} of {self._asked} were answered in time"
                raise BenchFailed(msg)
            await asyncio.sleep(POLL_S)
            await self._tally()

    async def _tally(self, order: Tally = _TALLY) -> None:
        for tallied in await self._staff.tally(order):
            if tallied.refused and not tallied.breaks:
                msg = f"{tallied.refused} results were refused"
                raise BenchFailed(msg)
            self._breaks.update(tallied.breaks)
            self._answered += tallied.answered
            for one in tallied.entered:  # a second time where its first stream broke
                self._entered.setdefault(one.id, one.at_s)
            self._config_hash = tallied.config_hash or self._config_hash
            self._cpu_s += tallied.cpu_s


@asynccontextmanager
async def floor(bench: Bench, shape: Shape) -> AsyncGenerator[Floor]:
    processes = -(-shape.workers // WORKERS_PER_PROCESS)
    share = -(-shape.workers // processes)
    orders = [
        Staff(
            engines=bench.ground.engines,
            workers=min(share, shape.workers - first),
            first=first,
            slots=shape.slots,
            work_ms=shape.work_ms,
        )
        for first in range(0, shape.workers, share)
    ]
    async with bench.crew(processes) as staff, bench.crew(1) as clients:
        bench.progress.step("attaching workers")
        await staff.staff(orders)
        bench.progress.step("opening sessions")
        opening = bench.opening(shape.sessions, shape.org_ids)
        await clients.open(replace(opening, listen=False))
        yield Floor(bench, staff, clients)
