"""One campaign: bring a fleet up, let people in, break it, mend it, and compare all accounts."""

import asyncio
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Final

import httpx
import msgspec

from mainspring_local.environment import project_root
from mainspring_local.errors import StartProblem
from tests.chaos import ablation, checking, rollout
from tests.chaos.database import ATTEMPTS, INBOX, OUTCOMES, STUCK, Attempt, Tables
from tests.chaos.fleet import REPLICAS, SERVERS, Fleet
from tests.chaos.found import Findings
from tests.chaos.ledger import Ledger
from tests.chaos.listening import AWAY, Listener
from tests.chaos.nemesis import Nemesis
from tests.chaos.ordering import END_S, Audit, Customer
from tests.chaos.report import Report, percentile
from tests.chaos.rollout import Rollout, Schema
from tests.chaos.talking import Person
from tests.chaos.trees import Tree, present

REST_S: Final = 240.0
"""After the healing: leases, backoffs, retries of models and every sweep, on a slow machine."""
LOOK_S: Final = 0.5
LOOKS_PER_WORD: Final = 40
"""Twenty seconds: most runs are at rest before."""
TOLD_EVERY_S: Final = 5.0
TOLD_MAX: Final = 5
"""Of what is found, as it is found; the report has more."""
EXAMINED_EVERY_S: Final = 20.0
MISSED_EVERY_S: Final = 3.0
Say = Callable[[str], None]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """`pace` multiplies how often things break. `only` names kinds of fault; empty means all."""

    minutes: float
    seed: int
    pace: float = 1.0
    people: int = 6
    customers: int = 4
    rest_s: float = REST_S
    without: str = ""
    only: frozenset[str] = frozenset()
    beside: Tree | None = None
    """Another version, which is deployed over and taken back instead of faults."""
    command: str = ""


class Campaign:
    def __init__(self, options: Options, folder: Path, say: Say) -> None:
        self.findings = Findings()
        replicas = REPLICAS if options.beside is None else rollout.REPLICAS
        self.fleet = Fleet(folder, replicas, options.beside)
        self._options, self._folder, self._say = options, folder, say
        self._streams = folder / "streams"
        self._people: list[Person] = []
        self._customers: list[Customer] = []
        self._over = asyncio.Event()
        self._nemesis: Nemesis | Rollout
        self._tables: Tables
        self._began = 0.0

    async def play(self) -> Report:
        """Raises StartProblem where the stack does not come up."""
        try:
            await self.fleet.start()
            self._tables = Tables(self.fleet.stack)
            if self._options.without:
                await ablation.take_away(self.fleet.stack, self._options.without)
            self._nemesis = self._chosen()
            self._say(f"{len(self.fleet.services())} services are up; faults begin")
            await self._storm_and_talk()
            return await self._judge()
        finally:
            for somebody in (*self._people, *self._customers):
                await somebody.close()
            await self.fleet.stop()

    def _chosen(self) -> Nemesis | Rollout:
        options = self._options
        if options.beside is None:
            return Nemesis(self.fleet, self._tables, options.seed, options.only, self.findings)
        schema = Schema(self.fleet.stack, self._folder, options.beside, present())
        return Rollout(self.fleet, schema, options.seed, options.minutes * 60, self.findings)

    # ── while things break ──────────────────────────────────────────────────────────────────────

    async def _storm_and_talk(self) -> None:
        self._streams.mkdir()
        self._people = [
            Person(number, self._options.seed, self.fleet.apis, self._streams, self.findings)
            for number in range(self._options.people)
        ]
        self._customers = [
            Customer(number, self._options.seed, self.fleet.apis, self.findings)
            for number in range(self._options.customers)
        ]
        self._began = time.monotonic()
        talking = [asyncio.create_task(person.talk(self._over)) for person in self._people]
        talking += [asyncio.create_task(one.buy(self._over)) for one in self._customers]
        watching = [asyncio.create_task(work) for work in (self._tell(), self._examine())]
        timer = asyncio.get_running_loop().call_later(self._options.minutes * 60, self._over.set)
        if self._options.beside is not None:
            timer.cancel()  # a rollout has its own end
        try:
            await self._nemesis.rage(self._over, self._options.pace)
        finally:
            timer.cancel()
            self._over.set()
        for task in watching:
            task.cancel()
        await self._nemesis.heal()
        self._say("everything is mended; waiting for rest")
        await self._answered(talking)
        await asyncio.gather(*watching, return_exceptions=True)

    async def _answered(self, talking: Sequence[asyncio.Task[None]]) -> None:
        """Each has what it asked for; who insists for longer will not get it."""
        done, waiting = await asyncio.wait(talking, timeout=END_S + self._options.rest_s)
        for task in waiting:
            task.cancel()
            self.findings.add("unrest", "somebody is not answered")
        await asyncio.gather(*waiting, return_exceptions=True)
        await asyncio.gather(*done)

    async def _tell(self) -> None:
        """Live progress."""
        told = 0
        while True:
            await asyncio.sleep(TOLD_EVERY_S)
            fresh = self.findings.sentences[told:]
            told += len(fresh)
            for sentence in fresh[:TOLD_MAX]:
                self._say(f"! {sentence}")
            counts = self._nemesis.counts
            acknowledged = sum(len(person.acknowledged) for person in self._people)
            self._say(
                f"{time.monotonic() - self._began:5.0f} s  {sum(counts.values()):5} faults  "
                f"{acknowledged:6} messages  {len(self._listeners()):4} clients  "
                f"{dict(self.findings.counts) or 'no violation'}"
            )

    async def _examine(self) -> None:
        """The invariants of a live system, in a snapshot now and then."""
        wait_s = MISSED_EVERY_S if self._options.without else EXAMINED_EVERY_S
        while True:
            await asyncio.sleep(wait_s)
            began = time.monotonic()
            for sentence in await self._tables.broken_if_up():
                self.findings.add("invariant", f"while things broke: {sentence}")
            wait_s = max(EXAMINED_EVERY_S, 20 * (time.monotonic() - began))
            if self._options.without:
                wait_s = MISSED_EVERY_S
                if self.findings.counts:
                    self._over.set()  # it is missed, which is all that was asked

    # ── afterwards ──────────────────────────────────────────────────────────────────────────────

    def _listeners(self) -> list[Listener]:
        return [listener for person in self._people for listener in person.listeners]

    async def _judge(self) -> Report:
        healed = time.monotonic()
        if not (self._options.without and self.findings.counts):
            await self._rest()
        rest_s = time.monotonic() - healed
        logs = await self._logs()
        await self._caught_up(logs)
        for person in self._people:
            await person.close()
        inbox = await self._tables.ask(INBOX, dict[str, int])
        checking.messages(self._people, logs, inbox, self.findings)
        checking.streams(self._listeners(), logs, self.findings)
        ledger = Ledger(self.fleet.outside / "ledger").read()
        effects = checking.effects(ledger, logs, self.findings)
        async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
            audit = Audit(http, self.fleet.apis[0], ledger)
            await audit.of(self._customers, self.findings)
        for sentence in await self._tables.broken(resting=True):
            self.findings.add("invariant", sentence)
        for line in self.fleet.complaints():
            self._complain(line)
        models = sum(line.what == "model" for line in ledger)
        return await self._report(logs, effects, models, rest_s)

    def _complain(self, line: str) -> None:
        if self._options.beside is None:
            self.findings.add("log", line)
        else:
            # For people to read: what the other version had wrong is not mended here.
            self.findings.sentences.append(f"log: {line}")

    async def _rest(self) -> None:
        """Every turn has ended and nothing waits for anything."""
        unrest: dict[str, int] = {}
        with suppress(TimeoutError):
            async with asyncio.timeout(self._options.rest_s):
                for look in count():
                    if not (unrest := await self._unrest()):
                        break
                    if look % LOOKS_PER_WORD == LOOKS_PER_WORD - 1:
                        await self._tell_unrest(unrest)
                    await asyncio.sleep(LOOK_S)
        if unrest:
            for row in await self._tables.ask(STUCK, list[dict[str, object]]):
                self.findings.sentences.append(f"unrest: {row}")
            waited = f"{self._options.rest_s:.0f} s after the healing"
            self.findings.add("unrest", f"{waited} there are {unrest}")

    async def _tell_unrest(self, unrest: dict[str, int]) -> None:
        """What takes its time: a run that only comes to rest late has a reason as well."""
        self._say(f"not at rest: {unrest}")
        with suppress(StartProblem):
            for row in await self._tables.ask(STUCK, list[dict[str, object]]):
                self._say(f"  {row}")

    async def _unrest(self) -> dict[str, int]:
        try:
            return await self._tables.unrest()
        except StartProblem as problem:
            return {str(problem): 1}

    async def _logs(self) -> dict[str, list[checking.Event]]:
        sessions = {listener.session for listener in self._listeners()}
        async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
            return {
                session: await checking.events_of(http, self.fleet.apis[0], session)
                for session in sorted(sessions)
            }

    async def _caught_up(self, logs: dict[str, list[checking.Event]]) -> None:
        """Listeners come to the head by themselves; who does not is found by its log."""

        async def caught_up(listener: Listener) -> None:
            head = logs[listener.session][-1].sequence
            if listener.last.seq < head:
                listener.attach()
            await listener.until(lambda: listener.last.seq >= head)

        with suppress(TimeoutError):
            async with asyncio.timeout(self._options.rest_s):
                await asyncio.gather(*map(caught_up, self._listeners()))

    async def _report(
        self, logs: dict[str, list[checking.Event]], effects: int, models: int, rest_s: float
    ) -> Report:
        strikes, counts = self._nemesis.strikes, self.findings.counts
        attempts = await self._tables.ask(ATTEMPTS, list[Attempt])
        recovery = checking.recoveries(
            [strike for strike in strikes if strike.target.startswith("worker")], attempts
        )
        restart = [strike.back_s for strike in strikes if strike.back_s is not None]
        outcomes = await self._tables.ask(OUTCOMES, dict[str, int])
        tries = [one for person in self._people for one in person.tries]
        turn_s = [seconds for person in self._people for seconds in person.turn_s]
        return Report(
            command=self._options.command, seed=self._options.seed, commit=commit(),
            without=self._options.without, beside=self._beside(), minutes=self._options.minutes,
            faults=dict(self._nemesis.counts), reached=self._reached(),
            swallowed_commits=sum(link.swallowed for link in self.fleet.links.values()),
            turns=sum(outcomes.values()),
            outcomes={ablation.OUTCOME_NAMES[int(kind)]: n for kind, n in outcomes.items()},
            programs=sum(len(customer.placed) for customer in self._customers),
            plain_tasks=sum(len(customer.handed) for customer in self._customers),
            messages=sum(len(person.acknowledged) for person in self._people),
            posts=len(tries), posts_unanswered=sum(one.status == 0 for one in tries),
            posts_put_off=sum(one.status in AWAY for one in tries),
            model_calls=models, effects=effects,
            sse_clients=len(self._listeners()),
            sse_connections=sum(listener.connections for listener in self._listeners()),
            sse_events=2 * sum(map(len, logs.values())),
            lost=counts["lost"] + counts["unrest"], duplicated=counts["duplicate"],
            effects_doubled=counts["effect"], sse_gaps=counts["sse"],
            recovery_p50_s=percentile(recovery, 0.5), recovery_p99_s=percentile(recovery, 0.99),
            recoveries=len(recovery),
            restart_p50_s=percentile(restart, 0.5), restart_p99_s=percentile(restart, 0.99),
            turn_p50_s=percentile(turn_s, 0.5), turn_p99_s=percentile(turn_s, 0.99),
            rest_s=round(rest_s, 2), violations=dict(counts), sentences=self.findings.sentences,
        )  # fmt: skip

    def _reached(self) -> dict[str, int]:
        hit = self.fleet.hit
        killed = {kind: n for (kind, number), n in hit.items() if number is signal.SIGKILL}
        return {
            "kills": sum(n for kind, n in killed.items() if kind not in SERVERS),
            "crashes of Postgres": hit["postgres", signal.SIGQUIT],
            "kills of NATS": killed.get("nats", 0),
            "zombies": self._nemesis.zombies,
        }

    def _beside(self) -> str:
        other = self._options.beside
        return "" if other is None else other.name


def commit() -> str:
    found = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"],
        cwd=project_root(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    return found.stdout.strip()
