"""Who breaks things, how often and for how long; all of it drawn from the seed."""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Final

import msgspec

from mainspring_kernel.limits import LEASE_S
from mainspring_local.errors import StartProblem
from tests.chaos.database import Tables
from tests.chaos.fleet import SERVERS, Fleet
from tests.chaos.found import Findings
from tests.chaos.proxy import Link, Way

EVERY_S: Final[dict[str, float]] = {
    "kill of a worker": 4.0,
    "kill of a coder": 6.0,
    "kill of an engine": 7.0,
    "kill of an api": 8.0,
    "kill of an eventstore": 15.0,
    "kill of a scheduler": 30.0,
    "frozen worker": 7.0,
    "frozen coder": 8.0,
    "frozen engine": 15.0,
    "frozen api": 15.0,
    "frozen eventstore": 40.0,
    "woken worker": 12.0,
    "stop of Postgres": 18.0,
    "end of backends": 5.0,
    "swallowed COMMIT": 2.0,
    "kill of NATS": 16.0,
    "wipe of NATS": 20.0,
    "reset link": 3.0,
    "black hole": 4.0,
    "slow link": 5.0,
    "cut link": 3.0,
    "drained worker": 16.0,
    "drained coder": 20.0,
    "rolling restart": 90.0,
    "provider storm": 25.0,
}
"""From the end of one to the next of its kind, on average, at pace 1. An hour then has more than
2,000 kills of services, 400 of Postgres, 300 of NATS and 400 zombies. Half of all windows
overlap."""
LONGEST: Final = 5.0
"""Of those averages. Times are drawn as of rain: some follow at once, and at times there is quiet,
without which no lease would run out (POSTGRES_SETTLE_S)."""
FROZEN_LEASES: Final = (0.5, 3.0)
STOPS_MAX: Final = 6
"""Of Postgres in one go, each as soon as it is back: apart, with so many, nothing would get on."""
STOP_S: Final = 1.0
HOLE_S, SLOW_S, STORM_S, NATS_AWAY_S = 6.0, 6.0, 8.0, 4.0
DELAY_S: Final = 0.4
LOOK_S: Final = 0.3
CUT_BYTES_MAX: Final = 4096


class Strike(msgspec.Struct, frozen=True, kw_only=True):
    """One fault. `wall_ms` is the database's clock too, for both are on one machine."""

    kind: str
    target: str
    wall_ms: int
    back_s: float | None = None
    """Until a killed process served again."""


class Nemesis:
    def __init__(
        self, fleet: Fleet, tables: Tables, seed: int, only: frozenset[str], findings: Findings
    ) -> None:
        self.strikes: list[Strike] = []
        self.counts: Counter[str] = Counter()
        self.zombies = 0
        """Thawed after their lease, as they were."""
        self._fleet, self._tables, self._seed, self._only = fleet, tables, seed, only
        self._findings = findings
        self._frozen: set[str] = set()
        self._draining: set[str] = set()
        self._started = asyncio.Lock()
        """Of NATS: one at a time takes it away."""
        self._nats_away: asyncio.Task[None] | None = None

    async def rage(self, over: asyncio.Event, pace: float) -> None:
        """Until it is over; what is under way then is ended by `heal`."""
        async with asyncio.TaskGroup() as group:
            raging = [
                group.create_task(self._again(kind, every_s / pace))
                for kind, every_s in EVERY_S.items()
                if not self._only or kind in self._only
            ]
            await over.wait()
            for task in raging:
                task.cancel()

    async def heal(self) -> None:
        """Everything runs, thawed, over links without faults."""
        for link in self._fleet.links.values():
            link.heal()
        self._fleet.storm(on=False)
        for name in self._fleet.services():
            self._fleet.send(name, signal.SIGCONT)
        if self._nats_away is not None:
            await self._nats_away
        for name in (*SERVERS, *self._fleet.services()):
            await self._fleet.healthy(name)

    async def _again(self, kind: str, every_s: float) -> None:
        draws = random.Random(f"{self._seed} {kind}")
        strike = self._strike(kind)
        while True:
            await asyncio.sleep(every_s * min(LONGEST, draws.expovariate(1)))
            self.counts[kind] += 1
            try:
                await strike(draws)
            except (TimeoutError, StartProblem) as problem:
                self._findings.add("unrest", f"after a {kind}: {problem!r}")

    def _strike(self, kind: str) -> Callable[[random.Random], Awaitable[None]]:
        first, _, last = kind.partition(" ")
        service = last.split()[-1]
        match first:
            case "kill" if service != "NATS":
                return lambda draws: self._kill(kind, service, draws, signal.SIGKILL)
            case "drained":
                return lambda draws: self._kill(kind, service, draws, signal.SIGTERM)
            case "frozen":
                return lambda draws: self._freeze(kind, service, draws)
            case _:
                return self._others()[kind]

    def _others(self) -> dict[str, Callable[[random.Random], Awaitable[None]]]:
        return {
            "stop of Postgres": self._stop_postgres,
            "end of backends": self._end_backends,
            "woken worker": self._wake,
            "swallowed COMMIT": self._swallow,
            "kill of NATS": lambda draws: self._nats(draws, wipe=False),
            "wipe of NATS": lambda draws: self._nats(draws, wipe=True),
            "reset link": self._reset,
            "black hole": self._hole,
            "slow link": self._slow,
            "cut link": self._cut,
            "rolling restart": self._roll,
            "provider storm": self._storm,
        }

    # ── processes ───────────────────────────────────────────────────────────────────────────────

    async def _kill(
        self, kind: str, service: str, draws: random.Random, number: signal.Signals
    ) -> None:
        thawed = self._thawed(service)
        await self._hit(kind, draws.choice(thawed or self._fleet.services(service)), number)

    def _thawed(self, service: str) -> list[str]:
        """A frozen one is mostly let be: what it does when it thaws is what it was frozen for."""
        return [name for name in self._fleet.services(service) if name not in self._frozen]

    async def _hit(self, kind: str, name: str, number: signal.Signals) -> None:
        began, wall_ms = time.monotonic(), _wall_ms()
        starts = self._fleet.send(name, number)
        if number is signal.SIGTERM:
            # A frozen one would drain when it thaws; nobody waits for that.
            self._fleet.send(name, signal.SIGCONT)
            self._draining.add(name)
        try:
            await self._fleet.back(name, starts)
        finally:
            self._draining.discard(name)
        back_s = time.monotonic() - began
        self.strikes.append(Strike(kind=kind, target=name, wall_ms=wall_ms, back_s=back_s))

    def _at_work(self, service: str) -> list[str]:
        """Those to be frozen: one that drains would say, thawed, that it took too long."""
        return [name for name in self._thawed(service) if name not in self._draining]

    async def _freeze(self, kind: str, service: str, draws: random.Random) -> None:
        if at_work := self._at_work(service):
            async with self._stopped(kind, draws.choice(at_work)):
                await asyncio.sleep(LEASE_S * draws.uniform(*FROZEN_LEASES))

    async def _wake(self, draws: random.Random) -> None:
        """Thaws it just when another one works at what it held: it still has its stream."""
        if not (at_work := self._at_work("worker")):
            return
        name, wall_ms = draws.choice(at_work), _wall_ms()
        with suppress(TimeoutError):  # where it held nothing that lasted
            async with (
                self._stopped("woken worker", name),
                asyncio.timeout(LEASE_S * FROZEN_LEASES[1]),
            ):
                while not await self._tables.taken_over(name, wall_ms):  # noqa: ASYNC110 -- rows tell nobody
                    await asyncio.sleep(LOOK_S)

    @asynccontextmanager
    async def _stopped(self, kind: str, name: str) -> AsyncGenerator[None]:
        began, starts = time.monotonic(), self._fleet.starts(name)
        self.strikes.append(Strike(kind=kind, target=name, wall_ms=_wall_ms()))
        self._frozen.add(name)
        self._fleet.send(name, signal.SIGSTOP)
        try:
            yield
        finally:
            self._frozen.discard(name)
            self._fleet.thaw(name)
            late = time.monotonic() - began > LEASE_S
            self.zombies += late and self._fleet.starts(name) == starts

    async def _roll(self, draws: random.Random) -> None:
        names = self._fleet.services("engine", "api", "worker")
        for name in draws.sample(names, len(names)):
            await self._hit("rolling restart", name, signal.SIGTERM)

    # ── servers ─────────────────────────────────────────────────────────────────────────────────

    async def _stop_postgres(self, draws: random.Random) -> None:
        for _ in range(draws.randint(1, STOPS_MAX)):
            # What `pg_ctl stop -m immediate` sends: gone at once, without a checkpoint.
            await self._hit("stop of Postgres", "postgres", signal.SIGQUIT)
            await asyncio.sleep(STOP_S * draws.random())

    async def _end_backends(self, draws: random.Random) -> None:
        await self._tables.end_backends(draws.uniform(0.2, 0.6))

    async def _swallow(self, draws: random.Random) -> None:
        self._link(draws, "postgres").swallow_commit()

    async def _nats(self, draws: random.Random, *, wipe: bool) -> None:
        kind = "wipe of NATS" if wipe else "kill of NATS"
        async with self._started:
            self.strikes.append(Strike(kind=kind, target="nats", wall_ms=_wall_ms()))
            away = self._fleet.without_nats(NATS_AWAY_S * draws.random(), wipe=wipe)
            self._nats_away = asyncio.create_task(away)
            # Never left half done: the end of the rage must find it running.
            await asyncio.shield(self._nats_away)

    async def _storm(self, draws: random.Random) -> None:
        self._fleet.storm(on=True)
        await asyncio.sleep(STORM_S * draws.random())
        self._fleet.storm(on=False)

    # ── links ───────────────────────────────────────────────────────────────────────────────────

    def _link(self, draws: random.Random, to: str = "") -> Link:
        names = sorted(name for name in self._fleet.links if name.endswith(to))
        return self._fleet.links[draws.choice(names)]

    async def _reset(self, draws: random.Random) -> None:
        self._link(draws).reset()

    async def _hole(self, draws: random.Random) -> None:
        async with AsyncExitStack() as after:
            link = self._link(draws)
            after.callback(link.heal)
            ways = ((Way.OUT,), (Way.BACK,), (Way.OUT, Way.BACK))
            link.hold(*draws.choice(ways))
            await asyncio.sleep(HOLE_S * draws.random())
            if draws.random() < 0.5:
                link.reset()

    async def _slow(self, draws: random.Random) -> None:
        async with AsyncExitStack() as after:
            link = self._link(draws)
            after.callback(link.heal)
            link.slow(lambda: DELAY_S * draws.random())
            await asyncio.sleep(SLOW_S * draws.random())

    async def _cut(self, draws: random.Random) -> None:
        self._link(draws).cut_after(draws.randrange(CUT_BYTES_MAX))


def _wall_ms() -> int:
    return round(time.time() * 1000)
