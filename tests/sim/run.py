"""One seed: build a world, let people in, break things, mend them, and look what holds."""

import hashlib
import sys
from collections import Counter
from itertools import islice
from typing import Final

from msgspec import Struct

from tests.sim import checks, clients
from tests.sim.loop import Host, SimLoop
from tests.sim.nemesis import Nemesis
from tests.sim.weather import BUDGETED_REST_S, REST_S, REST_S_MAX, Chance, weather_of
from tests.sim.world import World

PROBLEMS_SHOWN: Final = 10
LOOK_S: Final = 0.5
"""Of virtual time, between two looks whether all is at rest."""
_PROGRAMS = frozenset({
    "engine", "hub", "upkeep", "scheduler", "deltas", "stream", "arrive", "person", "reader",
    "nemesis", "heal", "minder", "operator", "leaving",
})  # fmt: skip
"""Tasks that may end, but never by an error."""


_left: Final[list[object]] = []
"""Of seeds before, in this process: what nobody holds is unwound, and takes its time for it."""


class Ran(Struct, frozen=True, kw_only=True):
    """What one seed came to. `trace` is the hash of every event with its time, in their order."""

    seed: int
    problems: tuple[str, ...]
    trace: str
    steps: int
    turns: int
    programs: int
    """Users' workflows and plain tasks."""
    hosts: int
    virtual_s: float
    faults: Counter[str]


def run(seed: int) -> Ran:
    """Raises nothing for a broken rule: the problems say it.

    For a process that just ends (`apart`): all that was under way is left so.
    """
    sys.unraisablehook = _ignore
    loop = SimLoop()
    weather, chance = weather_of(seed), Chance(seed)
    world = World(loop, weather, chance)
    people = clients.People.nobody()
    crowd, fate = Host(loop, "people"), Host(loop, "fate")
    nemesis = Nemesis(world)
    world.build()
    crowd.spawn(clients.arrive(world, people), "arrive")
    fate.spawn(nemesis.rage(), "nemesis")
    loop.run(weather.heal_s)
    problems = list(islice(checks.always(world, people), PROBLEMS_SHOWN))
    fate.spawn(nemesis.heal(), "heal")
    rested = _rests(world, people)
    problems += islice(checks.always(world, people), PROBLEMS_SHOWN)
    if not rested:
        problems += islice(checks.at_rest(world, people), PROBLEMS_SHOWN)
    problems += _of_tasks([crowd, fate], world, loop)
    _left.append((loop, world, people, crowd, fate, nemesis))
    return _told(seed, world, loop, problems)


def _ignore(_: object) -> None:
    """Of coroutines that are dropped in the middle."""


def _rests(world: World, people: clients.People) -> bool:
    """Everything was said, every turn has ended, and every reader has seen it: looked at seldom."""
    until_s = heal_s = world.weather.heal_s
    counted_s = 0.0
    rest_s = REST_S if world.weather.budget is None else BUDGETED_REST_S
    while counted_s < rest_s and until_s < heal_s + REST_S_MAX:
        until_s += LOOK_S
        counted_s += 0.0 if world.tables.spares_a_model else LOOK_S
        world.loop.run(until_s)
        settled = all(said.settled for said in people.said)
        if settled and next(checks.at_rest(world, people), None) is None:
            return True
    return False


def _of_tasks(hosts: list[Host], world: World, loop: SimLoop) -> list[str]:
    """A program's loop that ended by an error is a finding of its own."""
    found = list(loop.problems)
    for host in [*hosts, *(running.host for running in world.places.values()), *world.past]:
        for task in host.tasks:
            if not task.done() or task.cancelled() or task.get_name() not in _PROGRAMS:
                continue
            error = task.exception()
            if error is not None:
                found.append(f"{host.name}: {task.get_name()} ended by {error!r}")
    return found[:PROBLEMS_SHOWN]


def _told(seed: int, world: World, loop: SimLoop, problems: list[str]) -> Ran:
    trace = hashlib.sha256()
    for session_id, rows in world.tables.log.events.items():
        for row in rows:
            trace.update(session_id.bytes + row.h)
            trace.update(f"{row.event.ts_ms}".encode())
    trace.update(f"{loop.steps} {loop.time():.6f}".encode())
    tables = world.tables.engine.tables
    turns = sum(workflow.is_turn for workflow in tables.workflows.values())
    return Ran(
        seed=seed,
        problems=tuple(problems),
        trace=trace.hexdigest()[:16],
        steps=loop.steps,
        turns=turns,
        programs=len(tables.starts)
        + sum(made.step.startswith("task:") for made in tables.payloads.values()),
        hosts=world.starts,
        virtual_s=loop.time(),
        faults=world.chance.met,
    )
