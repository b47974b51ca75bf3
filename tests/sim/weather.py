"""What one seed is like: how many of each there are, how bad the network is, and when it breaks.

Streams of chance of their own, so that a change of one does not reshuffle the others.
"""

from collections import Counter
from random import Random
from typing import Final

import msgspec
from msgspec import Struct

from mainspring_schema.budgets import Currency

HEAL_S: Final = 25.0
"""Virtual time until everything is mended, in a long seed that must come to rest."""
_LONG: Final = 0.25
"""Of all seeds. The others have less time and fewer people: in the same time there are more of
them, and they miss what is away sooner; but some things need a lease that ran out, and then more.
"""
_SHORT_S: Final = (8.0, 12.0, 16.0)
_SESSIONS_SHORT: Final = (1, 1, 2)
_MESSAGES_SHORT: Final = 3
REST_S: Final = 300.0
"""Virtual time after it in which every turn must have ended: leases, backoffs, sweeps, and then the
scheduler's next look at what it began long before, which may be a minute off. Not counted is
what a circuit takes: its probes may meet what is left of a model's trouble, each time for twice as
long."""
BUDGETED_REST_S: Final = 1500.0
"""Where calls wait for each other's money, one after the other, and then for its renewal."""
REST_S_MAX: Final = 2400.0
"""With what circuits take."""


_MINDED: Final = 0.3
"""Of all seeds, for each of the things that a turn may wait for."""
_LIMITED: Final = 0.5
"""Of those with programs."""
_HURRIED: Final = 0.5
"""The same."""
_QUERIED: Final = 0.5
"""The same."""
_BOUND: Final = 0.4
"""The same."""
_ORDERS: Final = ((0, 0), (0, 0), (1, 1), (2, 0), (3, 2), (0, 4))
"""How many programs and plain tasks; most seeds are for turns."""


class Weather(Struct, frozen=True, kw_only=True):
    """Drawn anew for each seed: mean settings hide corners."""

    engines: int
    workers: int
    apis: int
    sessions: int
    messages: int
    latency_s: float
    """Of a call or a frame, at most; a fifth of it of a statement."""
    statement_refused: float
    statement_reply_lost: float
    call_lost: float
    call_reply_lost: float
    hint_lost: float
    hint_doubled: float
    stream_cut_every_s: float
    stream_stalls: float
    """Of frames: what follows comes late with them, even when the stream breaks meanwhile."""
    stream_hangs_every_s: float
    """It carries nothing any more, and nobody is told: what lies between answers the pings."""
    stream_chokes_every_s: float
    """What its worker says comes later than a lease, in its order, even when it left meanwhile."""
    frame_lost: float
    """Of frames: the stream breaks with what it carries."""
    statement_stalls: float
    """Of statements: each waits for a lock or a connection, and others go before it."""
    mark_stalls: float
    """Of those that ask a holder to stop, which are few: meanwhile another may hold the task."""
    delta_reply_lost: float
    """Of the replies to flights of deltas, which are few."""
    crash_every_s: float
    freeze_every_s: float
    wake_every_s: float
    """A worker freezes until another does its work, and wakes just then."""
    partition_every_s: float
    outage_every_s: float
    clock_skew_s: float
    model_trouble: float
    work_s: float
    """What a tool call takes, at most; the longest outlive a lease."""
    calls_stay: bool
    """A client's calls go to the replica of its connection, not to any."""
    last_crash: bool
    """All workers end just when everything else is mended."""
    last_hang: bool
    """All streams hang just then, and no fault will end them."""
    programs: int
    plain_tasks: int
    coders: int
    """Workers that run users' own code."""
    warm: int
    """Goes that each keeps at rest."""
    step_s: float
    """What a step takes, at most."""
    step_trouble: float
    cancels: float
    poison: bool
    """Somebody asks for what ends each worker that tries it."""
    readers_stay: bool
    heal_s: float
    """Until then things break."""
    other_modes: float
    """How often a message is to meet a turn at work otherwise than as its next input."""
    asks: bool = False
    """The agent asks people: for leave, for answers, for what only their clients can do."""
    budget: Currency | None = None
    budget_renews: bool = False
    budget_meddled: bool = False
    """Somebody pauses it now and then."""
    schedules: int = 0
    deletes: float = 0.0
    """How often somebody deletes a session."""
    edits: bool = False
    """People change what waits."""
    operated: bool = False
    """Workers are drained and go on; what killed its workers is taken up again."""
    limited: bool = False
    """Programs and plain tasks need what few may have at once, or few in a time."""
    hurried: bool = False
    """Plain tasks are to be begun in time, some before others, some of a kind that nobody does."""
    gives_back: float = 0.0
    """Of what a user's worker gets, until everything is mended: it is too old to read it, say."""
    forks: int = 0
    """Sessions that go on from an event of another one."""
    queried: bool = False
    """People ask programs how far they have come."""
    misfits: float = 0.0
    """Of the goes at users' workflows, until then: the worker's code is not what is recorded."""
    stop_every_s: float = 0.0
    """Somebody is told to end, as by SIGTERM."""
    announces: bool = False
    """Workers of users' own code have tools as well."""
    forgets: bool = False
    """Of workflows that start over only the newest generation is kept."""
    bounded: bool = False
    """Some programs are to begin, or to end, in time."""
    builds: bool = False
    """Each worker of users' code has a build of its own, and some programs are for one of them."""
    spawns: bool = False
    """The agent gives work to children, waits for some of them, and hears of the others."""


class Chance:
    """The draws of a seed, and what was done with them."""

    def __init__(self, seed: int) -> None:
        self.faults = Random(f"faults {seed}")
        self.schedule = Random(f"schedule {seed}")
        self.work = Random(f"work {seed}")
        self.programs = Random(f"programs {seed}")
        self.minding = Random(f"minding {seed}")
        self.planning = Random(f"planning {seed}")
        self.needing = Random(f"needing {seed}")
        self.operating = Random(f"operating {seed}")
        self.hurrying = Random(f"hurrying {seed}")
        self.forking = Random(f"forking {seed}")
        self.querying = Random(f"querying {seed}")
        self.binding = Random(f"binding {seed}")
        self.overseeing = Random(f"overseeing {seed}")
        self.met: Counter[str] = Counter()
        """Faults by kind."""

    def strikes(self, kind: str, odds: float) -> bool:
        struck = odds > 0 and self.faults.random() < odds
        if struck:
            self.met[kind] += 1
        return struck


def weather_of(seed: int) -> Weather:
    """Each kind of fault is on in about two seeds of three, and hot in some."""
    draws = Random(f"weather {seed}")

    def odds(most: float) -> float:
        return 0.0 if draws.random() < 0.35 else most * draws.random()

    def every(least_s: float) -> float:
        return 0.0 if draws.random() < 0.35 else least_s * (1 + 3 * draws.random())

    weather = Weather(
        engines=draws.choice((2, 2, 2, 3)), workers=draws.choice((1, 2, 2, 3)),
        apis=draws.choice((1, 2)),
        sessions=draws.choice((1, 2, 3)), messages=draws.choice((1, 2, 3, 5)),
        latency_s=draws.choice((0.002, 0.01, 0.05)),
        statement_refused=odds(0.04), statement_reply_lost=odds(0.04),
        call_lost=odds(0.05), call_reply_lost=odds(0.05),
        hint_lost=odds(0.5), hint_doubled=odds(0.3),
        stream_cut_every_s=every(2.0), crash_every_s=every(2.5), freeze_every_s=every(4.0),
        partition_every_s=every(4.0), outage_every_s=every(6.0),
        clock_skew_s=odds(600.0),
        model_trouble=odds(0.4),
        work_s=draws.choice((0.5, 3.0, 3.0, 12.0)),
        wake_every_s=every(1.0),
        calls_stay=draws.random() < 0.5,
        last_crash=draws.random() < 0.5,
        programs=(orders := draws.choice(_ORDERS))[0], plain_tasks=orders[1],
        coders=draws.choice((1, 2)) if any(orders) else 0,
        step_s=draws.choice((0.2, 2.0, 2.0, 12.0)), step_trouble=odds(0.3),
        other_modes=odds(0.9), cancels=draws.choice((0.25, 0.25, 0.25, 0.9)),
        stream_stalls=odds(0.1), stream_hangs_every_s=every(8.0),
        poison=draws.random() < 0.15, warm=draws.choice((0, 1, 100)),
        readers_stay=draws.random() < 0.4, heal_s=HEAL_S,
        stream_chokes_every_s=every(4.0), frame_lost=odds(0.03),
        statement_stalls=odds(0.08), delta_reply_lost=odds(0.3), last_hang=draws.random() < 0.5,
        mark_stalls=odds(0.6),
    )  # fmt: skip
    minded = _with_minders(weather, Random(f"minders {seed}"))
    return minded if draws.random() < _LONG else _shortened(minded, draws)


def _with_minders(weather: Weather, draws: Random) -> Weather:
    currencies: tuple[Currency, ...] = ("calls", "seconds", "tokens")
    return msgspec.structs.replace(
        weather,
        asks=draws.random() < _MINDED,
        budget=draws.choice(currencies) if draws.random() < _MINDED else None,
        budget_renews=draws.random() < 0.6,
        budget_meddled=draws.random() < 0.4,
        spawns=draws.random() < _MINDED,
        deletes=draws.choice((0.0, 0.0, 0.0, 0.5)),
        edits=draws.random() < _MINDED,
        operated=draws.random() < _MINDED,
        limited=draws.random() < _LIMITED,
        schedules=draws.choice((0, 0, 0, 0, 0, 1, 2)),
        hurried=draws.random() < _HURRIED,
        gives_back=draws.choice((0.0, 0.0, 0.3, 0.7)),
        forks=draws.choice((0, 0, 0, 1, 2)),
        misfits=draws.choice((0.0, 0.0, 0.3, 0.8)),
        queried=draws.random() < _QUERIED,
        stop_every_s=draws.choice((0.0, 0.0, 3.0, 8.0)),
        bounded=draws.random() < _BOUND,
        forgets=draws.random() < _MINDED,
        announces=(announces := draws.random() < _MINDED),
        coders=max(weather.coders, int(announces)),
        builds=draws.random() < _BOUND,
    )


def _shortened(weather: Weather, draws: Random) -> Weather:
    return msgspec.structs.replace(
        weather,
        heal_s=draws.choice(_SHORT_S),
        sessions=min(weather.sessions, draws.choice(_SESSIONS_SHORT)),
        messages=min(weather.messages, _MESSAGES_SHORT),
    )
