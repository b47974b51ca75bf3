"""How long each scenario goes on and how much it asks; the whole is bounded by it."""

from msgspec import Struct
from msgspec.structs import replace


class Plan(Struct, frozen=True, kw_only=True):
    warm_s: float = 1.5
    """Before each measured window: caches, connections and plans fill."""
    one_s: float = 5.0
    many_s: float = 8.0
    clients: tuple[int, ...] = (1, 32)
    idle_s: float = 3.0
    nested_turns: int = 60
    streams: tuple[int, ...] = (200, 2000)
    stream_s: float = 8.0
    stream_turns_per_s: float = 25.0
    history: int = 1000
    history_samples: int = 24
    fork_messages: int = 1000
    """Of the session that is forked: ten events each, and a few."""
    forks: int = 40
    cancels: int = 40
    """Of each kind of work."""
    dispatch_samples: int = 200
    dispatch_pause_s: float = 0.02
    workers: tuple[int, ...] = (1000, 3000)
    """Simulated workers of each pass of `dispatch`, besides the one of an idle stack."""
    worker_slots: int = 4
    dispatch_s: float = 8.0
    tasks_per_s: float = 200.0
    by_chance: bool = False
    """Whether tasks arrive as a Poisson process, instead of evenly."""
    fair_s: float = 8.0
    handlers: int = 2
    """Processes of `steps` and `timers` that handle workflows."""
    naps: int = 1000
    naps_start_s: float = 8.0
    naps_spread_s: float = 1.0
    sleepers: int = 100_000
    """Timers that are due in a year, beside those that are measured."""
    kills: int = 5
    soak_minutes: float = 10.0
    soak_per_s: float = 100.0
    soak_sessions: int = 400
    queue_tasks: int = 30_000
    """Of each burst of `throughput`, `horizon`, `keys`, `crowd` and `replicas`."""
    keys: int = 1000
    """Different ones of `keys`."""
    held_s: float = 300.0
    """How long the snapshot of `horizon` is held."""
    peers_part: float = 1.0
    """Of the tasks that each peer's throughput is measured by."""
    traced: bool = True
    """Whether turns are measured once more with every trace recorded."""


def quick(plan: Plan) -> Plan:
    """Figures in less than a minute; rougher ones."""
    return replace(
        plan,
        warm_s=1.0,
        one_s=2.0,
        many_s=3.0,
        idle_s=1.5,
        nested_turns=20,
        streams=plan.streams[:1],
        stream_s=3.0,
        history=min(plan.history, 60),
        history_samples=12,
        fork_messages=100,
        forks=10,
        cancels=8,
        dispatch_samples=50,
        workers=plan.workers[:1],
        dispatch_s=3.0,
        fair_s=4.0,
        naps=200,
        naps_start_s=3.0,
        sleepers=10_000,
        kills=2,
        soak_minutes=min(plan.soak_minutes, 0.5),
        soak_sessions=40,
        queue_tasks=6_000,
        held_s=min(plan.held_s, 10.0),
        peers_part=0.3,
        traced=False,
    )
