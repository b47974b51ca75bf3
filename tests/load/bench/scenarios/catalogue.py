"""All scenarios by name, in the order in which they go on one stack."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from msgspec import Struct

from tests.load.bench.bench import Bench
from tests.load.bench.crew import BenchFailed
from tests.load.bench.scenarios.cancels import cancel
from tests.load.bench.scenarios.dispatch import dispatch
from tests.load.bench.scenarios.fairness import fairness
from tests.load.bench.scenarios.forks import fork
from tests.load.bench.scenarios.history import history
from tests.load.bench.scenarios.idle import idle
from tests.load.bench.scenarios.limits import limits
from tests.load.bench.scenarios.recovery import recovery
from tests.load.bench.scenarios.replicas import replicas
from tests.load.bench.scenarios.soak import soak
from tests.load.bench.scenarios.streams import sse
from tests.load.bench.scenarios.throughput import crowd, horizon, keyed, throughput
from tests.load.bench.scenarios.turns import turns, turns_traced
from tests.load.bench.scenarios.workflows import steps, timers, workflow

Part = Callable[[Bench], Awaitable[None]]


class Scenario(Struct, frozen=True, kw_only=True):
    """`own`: it stops or kills processes, so it needs a stack that the bench started.

    `bare`: it belongs to a bench that names none.
    """

    part: Part
    what: str
    own: bool = False
    bare: bool = True
    database: bool = False
    """It looks into Postgres."""


# What stops the stack's worker comes last.
SCENARIOS: Final[dict[str, Scenario]] = {
    "limits": Scenario(part=limits, what="what the machine itself does at best", own=True),
    "idle": Scenario(part=idle, what="statements and CPU of a stack nobody uses", database=True),
    "turns": Scenario(part=turns, what="agent turns per second, and what one costs"),
    "workflow": Scenario(part=workflow, what="a workflow of three durable steps, one caller"),
    "steps": Scenario(part=steps, what="durable steps per second, 32 callers"),
    "throughput": Scenario(
        part=throughput, what="tasks of a queue per second, and what one costs", database=True
    ),
    "timers": Scenario(part=timers, what="how late sleeping workflows go on", own=True),
    "sse": Scenario(part=sse, what="how late events come to open streams"),
    "history": Scenario(part=history, what="a turn late in a session beside an early one"),
    "fork": Scenario(part=fork, what="a fork of a session of 10,000 events", database=True),
    "cancel": Scenario(part=cancel, what="cancels of a model, a tool and a child at work"),
    "soak": Scenario(part=soak, what="a steady load: what grows that should not", bare=False),
    "horizon": Scenario(
        part=horizon, what="a queue beside a snapshot that is held", bare=False, database=True
    ),
    "keys": Scenario(
        part=keyed, what="a queue whose tasks have many keys", bare=False, database=True
    ),
    "crowd": Scenario(
        part=crowd, what="a queue with few workers and with a thousand", bare=False, database=True
    ),
    "replicas": Scenario(
        part=replicas, what="a queue, and turns, with one engine and with two", bare=False, own=True
    ),
    "recovery": Scenario(
        part=recovery, what="a worker is killed: until its work goes on", own=True
    ),
    "dispatch": Scenario(
        part=dispatch, what="submit to handler, idle and among many workers", own=True
    ),
    "fairness": Scenario(
        part=fairness, what="what one organization's flood costs another", own=True
    ),
}
TRACED: Final[dict[str, Scenario]] = {
    "turns_traced": Scenario(part=turns_traced, what="the same, every trace recorded")
}


def chosen(names: Sequence[str], *, own: bool, database: bool) -> dict[str, Scenario]:
    """In their own order. Without names all that can be had; raises BenchFailed for one that this
    ground cannot bear."""
    found: dict[str, Scenario] = {}
    for name, scenario in SCENARIOS.items():
        problem = _problem(scenario, own=own, database=database)
        if name in names and problem:
            msg = f"{name} {problem}"
            raise BenchFailed(msg)
        if name in names or (not names and scenario.bare and not problem):
            found[name] = scenario
    return found


def _problem(scenario: Scenario, *, own: bool, database: bool) -> str:
    if scenario.own and not own:
        return "stops and kills processes: it needs a stack of its own, without --target"
    if scenario.database and not database:
        return "looks into the database: say --postgres URL"
    return ""
