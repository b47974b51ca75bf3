"""How long each part goes on and how much it asks; the whole is bounded by it."""

from msgspec import Struct


class Plan(Struct, frozen=True, kw_only=True):
    warm_s: float = 1.5
    """Before each measured window: caches, connections and plans fill."""
    one_s: float = 6.0
    many_s: float = 10.0
    idle_s: float = 3.0
    nested_turns: int = 60
    streams: int = 200
    stream_s: float = 10.0
    stream_turns_per_s: float = 25.0
    history: int = 200
    history_samples: int = 24
    dispatch_samples: int = 200
    dispatch_pause_s: float = 0.02
    kills: int = 5
    traced: bool = True
    """Whether turns are measured once more with every trace recorded."""


def quick(plan: Plan) -> Plan:
    """Figures in less than a minute; rougher ones."""
    return Plan(
        warm_s=1.0,
        one_s=2.0,
        many_s=3.0,
        idle_s=1.5,
        nested_turns=20,
        streams=plan.streams,
        stream_s=3.0,
        history=min(plan.history, 60),
        history_samples=12,
        dispatch_samples=50,
        kills=2,
        traced=False,
    )
