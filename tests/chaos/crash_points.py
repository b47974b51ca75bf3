"""One turn on real processes, cut by SIGKILL behind each event of its journal in turn.

The turn is played once in calm: two model calls, and between them parallel tools of all four
effect classes. Then once for each event, with the worker or the engine killed when it is committed.
"""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, cast
from uuid import uuid4

import httpx
import msgspec
from msgspec import Struct

from mainspring_kernel.ids import Prefix, from_wire
from tests.chaos.checking import Event, events_of
from tests.chaos.database import Tables
from tests.chaos.fleet import Fleet
from tests.chaos.found import Findings
from tests.chaos.ledger import Ledger, Line
from tests.chaos.listening import Json, Listener
from tests.chaos.service import CAPABILITY, CLASSES
from tests.chaos.talking import ANSWER, message

REPLICAS: Final = {"eventstore": 1, "engine": 1, "api": 1, "scheduler": 1, "worker": 1, "coder": 0}
KINDS: Final = ("worker", "engine")
PATIENCE_S: Final = 90.0
"""Until a turn has ended: a lease, a restart and a backoff on a slow machine."""
AGAIN_S: Final = 0.2
STAGGER_MS: Final = 120
"""Between the effects of the calls, so that a kill finds them in different states."""
AFTER_MS: Final = 150
_ONCE: Final = ("input.message", "turn.started", "turn.completed", "llm.generation")
_NOT_KNOWN: Final = "is not known"
"""What the error says of a call that was begun and may not be made again; its status has no word
for it."""
_CALLS: Final = ("tool.started", "tool.completed")
Say = Callable[[str], None]


class Played(Struct, frozen=True, kw_only=True):
    """What a turn came to, in its log and outside. `paid` counts model calls by iteration."""

    types: tuple[str, ...]
    """Of its events, in their order."""
    answers: tuple[str, ...]
    results: dict[str, str]
    """Status by tool."""
    applied: dict[str, int]
    """How often each tool took effect."""
    paid: dict[int, int]

    def settled(self, place: int) -> int:
        """How many model calls were in the log with the first so many events."""
        return self.types[:place].count("llm.generation")


class Told(Struct, frozen=True, kw_only=True):
    """What all plays came to."""

    command: str
    commit: str
    places: int
    plays: int
    seconds: float
    model_calls: int
    paid_again: int
    repeated: dict[str, int]
    """Effects beyond the first, by tool."""
    unknown: dict[str, int]
    """Calls whose outcome nobody can know, by tool."""
    longest_s: float
    violations: tuple[str, ...]


def misfits(calm: Played, cut: Played, place: int) -> Iterator[str]:
    """What a turn that was cut behind its event `place` came to, and should not have."""
    told, wanted = Counter(cut.types), Counter(calm.types)
    for type_ in (*_ONCE, *_CALLS):
        if told[type_] != wanted[type_]:
            yield f"{told[type_]} {type_} and not {wanted[type_]}"
    if cut.answers != calm.answers:
        yield f"the transcript says {cut.answers}"
    for iteration, times in cut.paid.items():
        # What was begun and not committed is paid again; nothing that was committed is.
        most = 1 if iteration <= cut.settled(place) else 2
        if not 1 <= times <= most:
            yield f"model call {iteration} was paid {times} times"
    if cut.paid.keys() != calm.paid.keys():
        yield f"model calls {sorted(cut.paid)} were paid"
    for tool, class_ in CLASSES.items():
        yield from _misdone(tool, class_, cut.results.get(tool, "none"), cut.applied.get(tool, 0))


def _misdone(tool: str, class_: str, status: str, times: int) -> Iterator[str]:
    if class_ in ("pure", "idempotent"):
        if status != "success" or not 1 <= times <= 2:
            yield f"{tool} ({class_}) ended {status} and took effect {times} times"
    elif times > 1 or (times == 0 and status == "success"):
        yield f"{tool} ({class_}) ended {status} and took effect {times} times"
    elif status not in ("success", "unknown"):
        yield f"{tool} ({class_}) ended {status}"


# ── a play ──────────────────────────────────────────────────────────────────────────────────────


class Stage:
    """A stack of single services, on which one turn after the other is played."""

    def __init__(self, folder: Path, say: Say) -> None:
        folder.mkdir(parents=True)
        self.fleet = Fleet(folder, REPLICAS)
        self.findings = Findings()
        self.cut: list[Played] = []
        self.places = 0
        self.longest_s = 0.0
        self._folder, self._say = folder, say
        self._http = httpx.AsyncClient(trust_env=False, timeout=30)

    async def play(self, kind: str, places: Sequence[int]) -> None:
        """Behind each event where none is named. Raises StartProblem where no stack comes up."""
        try:
            await self.fleet.start()
            calm, _ = await self._play("", 0)
            self._judge(calm, calm, "calm", len(calm.types))
            self.places = len(calm.types)
            self._say(f"{kind}: {self.places} events in calm: {', '.join(calm.types)}")
            for place in places or range(1, self.places):
                played, took_s = await self._play(kind, place)
                self.longest_s = max(self.longest_s, took_s)
                self.cut.append(played)
                self._judge(calm, played, f"{kind} killed behind event {place}", place)
                self._say(_line(calm, played, kind, place, took_s))
            await self._examine()
        finally:
            await self._http.aclose()
            await self.fleet.stop()

    def _judge(self, calm: Played, played: Played, where: str, place: int) -> None:
        for sentence in misfits(calm, played, place):
            self.findings.add("crash point", f"{where}: {sentence}")

    async def _examine(self) -> None:
        tables = Tables(self.fleet.stack)
        for sentence in await tables.broken(resting=True):
            self.findings.add("invariant", sentence)
        for kind, count in (await tables.unrest()).items():
            self.findings.add("unrest", f"{count} {kind}")
        for line in self.fleet.complaints():
            self.findings.add("log", line)

    async def _play(self, kind: str, place: int) -> tuple[Played, float]:
        """One turn, and how long it took; nobody is killed at place 0."""
        session = str(
            (await self._post("/sessions", {"capabilities": [{"ref": CAPABILITY}]}))["id"]
        )
        log = self._folder / f"{kind}-{place}.log"
        listener = Listener(session, self.fleet.apis, log, self.findings, hops=False)
        began, before = time.monotonic(), len(await self._events(session))
        try:
            await self._post(f"/sessions/{session}/messages", message(_script(f"{kind}-{place}")))
            async with asyncio.timeout(PATIENCE_S):
                if place:
                    await listener.until(lambda: listener.last.seq >= before + place)
                    await self._kill(kind)
                await listener.until(lambda: bool(listener.seq_of("session.idled")))
        except TimeoutError:
            self.findings.add("unrest", f"{kind} killed behind event {place}: the turn goes on")
        finally:
            await listener.detach()
        took_s = time.monotonic() - began
        played = _played((await self._events(session))[before:], f"{kind}-{place}", self._ledger())
        return played, took_s

    async def _kill(self, kind: str) -> None:
        """All of a kind at once, and until they are back."""
        names = self.fleet.services(kind)
        starts = [self.fleet.send(name, signal.SIGKILL) for name in names]
        await asyncio.gather(*map(self.fleet.back, names, starts))

    def _ledger(self) -> list[Line]:
        return Ledger(self.fleet.outside / "ledger").read()

    async def _events(self, session: str) -> list[Event]:
        return await events_of(self._http, self.fleet.apis[0], session)

    async def _post(self, path: str, body: Json) -> Json:
        """Until it is taken, with one key."""
        headers = {"Idempotency-Key": uuid4().hex}
        async with asyncio.timeout(PATIENCE_S):
            while True:
                answer = await self._http.post(
                    f"{self.fleet.apis[0]}{path}", json=body, headers=headers
                )
                if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                    return cast("Json", answer.raise_for_status().json())
                await asyncio.sleep(AGAIN_S)


def _script(name: str) -> str:
    calls = [
        {
            "name": tool,
            "arguments": {
                "token": f"{name}-{tool}", "before_ms": STAGGER_MS * number, "after_ms": AFTER_MS,
            },
        }
        for number, tool in enumerate(CLASSES, 1)
    ]  # fmt: skip
    turns = [{"text": "Let me see.", "tool_calls": calls}, {"text": ANSWER}]
    block = {"turns": turns, "latency": {"ttft_ms": 100, "token_ms": 10}}
    return f"Play.\n```llmsim\n{msgspec.json.encode(block).decode()}\n```"


async def play_all(
    folder: Path, kinds: Sequence[str], places: Sequence[int], say: Say
) -> tuple[Stage, ...]:
    """Each kind on a stack of its own, at once: a play mostly waits for a lease to run out."""
    stages = tuple(Stage(folder / kind, say) for kind in kinds)
    async with asyncio.TaskGroup() as group:
        for kind, stage in zip(kinds, stages, strict=True):
            group.create_task(stage.play(kind, places))
    return stages


# ── what it came to ─────────────────────────────────────────────────────────────────────────────


class _Part(Struct, frozen=True):
    text: str = ""


class _Message(Struct, frozen=True):
    content: tuple[_Part, ...] = ()


class _Data(Struct, frozen=True):
    turn_id: str = ""
    tool_name: str = ""
    status: str = ""
    error: str | None = None
    message: _Message = _Message()


_DATA: Final = msgspec.json.Decoder(_Data)


def _played(events: Sequence[Event], name: str, ledger: Sequence[Line]) -> Played:
    told = [(event.type, _DATA.decode(event.data)) for event in events]
    turn = next(from_wire(Prefix.TURN, data.turn_id).hex for _, data in told if data.turn_id)
    models = (line.token.partition("/") for line in ledger if line.what == "model")
    return Played(
        types=tuple(type_ for type_, _ in told),
        answers=tuple(
            "".join(part.text for part in data.message.content)
            for type_, data in told if type_ == "output.message.completed"
        ),
        results={
            data.tool_name: "unknown" if _NOT_KNOWN in (data.error or "") else data.status
            for type_, data in told if type_ == "tool.completed"
        },
        applied=dict(Counter(
            line.tool for line in ledger
            if line.what == "applied" and line.token.removesuffix(f"-{line.tool}") == name
        )),
        paid=dict(Counter(int(iteration) for of, _, iteration in models if of == turn)),
    )  # fmt: skip


def told(stages: Sequence[Stage], command: str, commit: str, seconds: float) -> Told:
    cut = [one for stage in stages for one in stage.cut]
    return Told(
        command=command, commit=commit, seconds=round(seconds, 1),
        places=max(stage.places for stage in stages), plays=len(cut),
        model_calls=sum(sum(one.paid.values()) for one in cut),
        paid_again=sum(times - 1 for one in cut for times in one.paid.values()),
        repeated={
            tool: sum(max(0, one.applied.get(tool, 0) - 1) for one in cut) for tool in CLASSES
        },
        unknown={tool: sum(one.results.get(tool) == "unknown" for one in cut) for tool in CLASSES},
        longest_s=round(max(stage.longest_s for stage in stages), 1),
        violations=tuple(one for stage in stages for one in stage.findings.sentences),
    )  # fmt: skip


def _line(calm: Played, played: Played, kind: str, place: int, took_s: float) -> str:
    again = sum(played.paid.values()) - sum(calm.paid.values())
    effects = ", ".join(
        f"{tool} {played.results.get(tool)} x{played.applied.get(tool, 0)}" for tool in CLASSES
    )
    where = f"{kind} behind {place:2} {calm.types[place - 1]}"
    return f"{where:45} {took_s:5.1f} s  {again} paid again  {effects}"


def lines(told: Told) -> Iterator[str]:
    yield (
        f"{told.plays} turns cut, over {told.places} events in {told.seconds} s, the longest turn "
        f"{told.longest_s} s; {told.model_calls} model calls, {told.paid_again} paid again"
    )
    yield f"effects repeated: {told.repeated}; outcome unknown: {told.unknown}"
    yield f"{len(told.violations)} violations"
    yield from told.violations
