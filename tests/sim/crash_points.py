"""One turn, cut at one chosen place in its history: with parallel tools, or waiting for a child.

A place is a change of anything that is kept: an event, a claim, leave to call, a result.
"""

import asyncio
import gc
import sys
import warnings
from collections import Counter
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from typing import Final

import msgspec
from msgspec import Struct

from mainspring_kernel.errors import MainspringError
from mainspring_kernel.ids import DEFAULT_ORG_ID, SeededIds
from mainspring_schema.commands import Cancel
from mainspring_schema.messages import Json
from mainspring_worker.adapters.models.llmsim.driver import LlmSim
from mainspring_worker.ports.model import ModelItem, ModelRequest
from tests.sim import checks, clients
from tests.sim.loop import Host, SimLoop
from tests.sim.scripts import script_of
from tests.sim.tools import CLASSES
from tests.sim.weather import REST_S, Chance, Weather, weather_of
from tests.sim.world import World

AWAY_S: Final = 1.0
AGAIN_S: Final = 0.5
ANSWER: Final = "That is all there is to say about it."
CALM: Final[Weather] = msgspec.structs.replace(
    weather_of(0),
    engines=2, workers=2, apis=1, sessions=1, messages=0, latency_s=0.01, work_s=1.0,
    statement_refused=0.0, statement_reply_lost=0.0, call_lost=0.0, call_reply_lost=0.0,
    hint_lost=0.0, hint_doubled=0.0, stream_cut_every_s=0.0, crash_every_s=0.0,
    freeze_every_s=0.0, wake_every_s=0.0, partition_every_s=0.0, outage_every_s=0.0,
    clock_skew_s=0.0, model_trouble=0.0, calls_stay=False, last_crash=False,
    programs=0, plain_tasks=0, coders=0, step_trouble=0.0, other_modes=0.0, cancels=0.0,
    stream_stalls=0.0, stream_hangs_every_s=0.0, poison=False, readers_stay=False,
    stream_chokes_every_s=0.0, frame_lost=0.0, statement_stalls=0.0, mark_stalls=0.0,
    delta_reply_lost=0.0, last_hang=False, asks=False, budget=None, spawns=False,
    schedules=0, limited=False, deletes=0.0, edits=False, operated=False, forks=0,
    stop_every_s=0.0, announces=False, forgets=False, bounded=False, builds=False,
)  # fmt: skip


class Scene(Struct, frozen=True, kw_only=True):
    """What is played, and where. With `cancels` a person cancels the turn at the chosen place."""

    world: type[World] = World
    turns: tuple[Json, ...]
    cancels: bool = False


class Played(Struct, frozen=True, kw_only=True):
    """What a turn came to. `models` counts calls that were paid, `kept` those in the log."""

    places: int
    problems: tuple[str, ...]
    types: Counter[str]
    results: dict[str, str]
    """Status by tool."""
    answers: tuple[str, ...]
    applied: dict[str, Counter[str]]
    models: int
    below: Counter[str]
    """Events of sessions that it has spawned."""
    calls: tuple[tuple[str, str], ...]
    """The calls' events in the order of the log: each with its call."""


class _Call(Struct, frozen=True):
    id: str = ""


class _Data(Struct):
    status: str = ""
    tool_call: _Call = _Call()
    tool_call_id: str = ""
    tool_name: str = ""
    message: msgspec.Raw = msgspec.Raw(b"null")


class _Payload(Struct):
    data: _Data


ACTING: Final = Scene(
    turns=(
        {
            "text": "Let me see.",
            "tool_calls": [{"name": name, "arguments": {"n": 1}} for name in CLASSES],
        },
        {"text": ANSWER},
    )
)


def play(kind: str = "", place: int = 0, scene: Scene = ACTING) -> Played:
    """All services of that kind end at that place, and come back; at no place if it is 0."""
    loop = SimLoop()
    chance = Chance(7)
    world = scene.world(loop, CALM, chance)
    people = clients.People.nobody()
    crowd = Host(loop, "people")
    unraisable, sys.unraisablehook = sys.unraisablehook, _ignore
    try:
        with _counted() as models:
            world.build()
            crowd.spawn(clients.arrive(world, people), "arrive")
            loop.run(5.0, lambda: bool(people.readers))
            said = clients.Said(session_id=people.readers[0].session_id, key="one")
            people.said.append(said)
            ids = SeededIds(world.tables.clock, 1)
            crowd.spawn(_insist(world, said, script_of(scene.turns), ids), "person")
            places = _Places(world)
            if loop.run(60.0, lambda: places.passed(place) or _over(world, people)) and place:
                if scene.cancels:
                    crowd.spawn(_cancel(world, said), "canceller")
                _cut(world, kind)
            rested = loop.run(REST_S, lambda: places.passed(0) or _over(world, people))
        return _told(world, people, places.count, models["calls"], rested=rested)
    finally:
        with warnings.catch_warnings(action="ignore"):
            _forget(world, [crowd])
        sys.unraisablehook = unraisable


def _ignore(_: object) -> None:
    """Of coroutines that are dropped in the middle."""


def _forget(world: World, hosts: list[Host]) -> None:
    """Coroutines that never end are dropped; what their `finally` tries is of no account."""
    for host in [*hosts, *(running.host for running in world.places.values()), *world.past]:
        host.crash()
        host.tasks.clear()
    world.places.clear()
    world.past.clear()
    world.wires.clear()
    gc.collect()


class _Places:
    def __init__(self, world: World) -> None:
        self.count = 0
        self._world = world
        self._last: object = None

    def passed(self, place: int) -> bool:
        """Counts; true at the place that was asked for."""
        tables, log = self._world.tables.engine.tables, self._world.tables.log
        heads = tuple(head.last_seq for head in log.heads.values())
        tasks = tuple((task.id, task.rev) for task in tables.tasks.values())
        now = (heads, tasks, len(tables.attempts))
        if now != self._last:
            self._last = now
            self.count += 1
        return bool(place) and self.count >= place


def _cut(world: World, kind: str) -> None:
    places = [place for place in world.places if kind and place.startswith(kind)]
    for place in places:
        world.places[place].host.crash()
    world.loop.run(world.loop.time() + AWAY_S)
    for place in places:
        world.start(place)


def _over(world: World, people: clients.People) -> bool:
    if not all(said.settled for said in people.said):
        return False
    return next(checks.at_rest(world, people), None) is None


async def _insist(world: World, said: clients.Said, text: str, ids: SeededIds) -> None:
    while said.message_id is None:
        try:
            await clients._post(world, said, text, ids)
        except MainspringError:
            await asyncio.sleep(AGAIN_S)


async def _cancel(world: World, said: clients.Said) -> None:
    command = Cancel(org_id=DEFAULT_ORG_ID, session_id=said.session_id)
    while True:
        engine = world.any_of("engine")
        try:
            await world.network.call(
                engine.host, lambda control=engine.program.control: control.cancel(command)
            )
        except MainspringError:
            await asyncio.sleep(AGAIN_S)
        else:
            return


@contextmanager
def _counted() -> Generator[Counter[str]]:
    """Model calls, as a provider would bill them."""
    stream, calls = LlmSim.stream, Counter[str]()

    def counting(self: LlmSim, request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        calls["calls"] += 1
        return stream(self, request)

    LlmSim.stream = counting
    try:
        yield calls
    finally:
        LlmSim.stream = stream


def _told(
    world: World, people: clients.People, places: int, models: int, *, rested: bool
) -> Played:
    problems = list(checks.always(world, people))
    if not rested:
        problems += checks.at_rest(world, people)
    rows = world.tables.log.events[people.readers[0].session_id]
    others = (
        row
        for session_id, rows in world.tables.log.events.items()
        if session_id != people.readers[0].session_id
        for row in rows
    )
    payloads = [
        (row.event.type, msgspec.json.decode(row.event.payload, type=_Payload)) for row in rows
    ]
    return Played(
        places=places,
        problems=tuple(problems),
        types=Counter(row.event.type for row in rows),
        results={
            payload.data.tool_name: payload.data.status
            for type_, payload in payloads if type_ == "tool.completed"
        },
        answers=tuple(
            _text(payload.data.message)
            for type_, payload in payloads if type_ == "output.message.completed"
        ),
        applied={name: Counter(times) for name, times in world.outside.applied.items()},
        models=models,
        below=Counter(row.event.type for row in others),
        calls=tuple(
            (type_, payload.data.tool_call_id or payload.data.tool_call.id)
            for type_, payload in payloads if type_ in ("tool.started", "tool.completed")
        ),
    )  # fmt: skip


class _Part(Struct):
    text: str = ""


class _Message(Struct):
    content: tuple[_Part, ...]


def _text(raw: msgspec.Raw) -> str:
    return "".join(part.text for part in msgspec.json.decode(raw, type=_Message).content)
