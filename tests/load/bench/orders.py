"""What the bench asks of its load processes and what they answer: one line of JSON each."""

from typing import Literal

from msgspec import Struct

Kind = Literal["task", "turn"]
"""What is dispatched: a plain task of a queue, or the first step of an agent's turn."""


class Open(Struct, frozen=True, kw_only=True, tag="open"):
    """Create sessions and open a stream on each; answered by `Ready`."""

    host: str
    port: int
    agent_id: str
    org_ids: list[str]
    sessions: int
    listen: bool = True


class Turns(Struct, frozen=True, kw_only=True, tag="turns"):
    """`slots` clients, each with its share of the sessions, one turn after the other.

    Every `turns_per_session` turns a client goes on with its next session, round and round.
    """

    slots: int
    until_s: float
    """On the monotonic clock that all processes of a machine share."""
    turns_max: int
    turns_per_session: int


class Pace(Struct, frozen=True, kw_only=True, tag="pace"):
    """Turns at a fixed rate over all sessions; how late each event came is kept."""

    per_s: float
    seconds: float


class Grow(Struct, frozen=True, kw_only=True, tag="grow"):
    """The first session grows to `messages`; then its turns and those of young ones alternate."""

    messages: int
    samples: int


class Probe(Struct, frozen=True, kw_only=True, tag="probe"):
    """Dispatch: this process becomes the only worker, and submits."""

    kind: Kind
    host: str
    port: int
    agent_id: str
    engine: str
    warm_up: int
    """Sessions with a turn each, or plain tasks, before anything is measured."""
    samples: int
    pause_s: float


class Staff(Struct, frozen=True, kw_only=True, tag="staff"):
    """Become so many simulated workers, from number `first` on; `Ready` when all are attached."""

    engines: list[str]
    workers: int
    first: int
    slots: int
    work_ms: float = 0.0
    """How long each task takes; a worker that takes none answers at once."""


class Tally(Struct, frozen=True, kw_only=True, tag="tally"):
    """Asks simulated workers what they saw since the last time; `Tallied`."""

    hurry: bool = False
    """From now on tasks take no time."""


class Introduce(Struct, frozen=True, kw_only=True, tag="introduce"):
    """One turn of an organization over REST: the engine then knows its configuration."""

    org_id: str


class Flow(Struct, frozen=True, kw_only=True):
    """What one organization submits, by a schedule. Turns need the hash of a configuration."""

    org_id: str
    per_s: float
    config_hash: str = ""
    kind: Kind = "turn"


class Arrive(Struct, frozen=True, kw_only=True, tag="arrive"):
    """Submit to the engine whenever the schedule says so, whatever was answered meanwhile."""

    engine: str
    flows: list[Flow]
    began_s: float
    seconds: float
    by_chance: bool


class Limits(Struct, frozen=True, kw_only=True, tag="limits"):
    """What the machine does at best with each of the means."""

    postgres_url: str
    nats_url: str
    seconds: float


Order = Open | Turns | Pace | Grow | Probe | Staff | Tally | Introduce | Arrive | Limits


class Ready(Struct, frozen=True, kw_only=True, tag="ready"):
    """Sessions and streams are there."""


class Progress(Struct, frozen=True, kw_only=True, tag="progress"):
    done: int


class Turn(Struct, frozen=True, array_like=True):
    ended_s: float
    """On the monotonic clock."""
    ms: float


class Entered(Struct, frozen=True, array_like=True):
    """A simulated worker began with the plain task, or with the task of the turn, of this id."""

    id: str
    at_s: float


class Asked(Struct, frozen=True, array_like=True):
    """A task or turn was submitted; it counts from the moment that the schedule named."""

    id: str
    org_id: str
    from_s: float


class Tallied(Struct, frozen=True, kw_only=True, tag="tallied"):
    """`refused` results were not committed; `breaks` says why streams ended that should not."""

    entered: list[Entered]
    answered: int
    refused: int
    breaks: list[str]
    attached: int
    config_hash: str
    cpu_s: float = 0.0


class Done(Struct, frozen=True, kw_only=True, tag="done"):
    """`asked` turns are answered with 2xx, `completed` were seen to complete on the stream."""

    asked: int = 0
    completed: int = 0
    turns: list[Turn] = []
    late_ms: list[float] = []
    young_ms: list[float] = []
    old_ms: list[float] = []
    dispatch_ms: list[float] = []
    figures: dict[str, float] = {}
    submitted: list[Asked] = []
    steered: int = 0
    """Messages that met a turn still going on; they make no task of their own."""
    lag: str = ""
    """How late the client came to its own schedule, as an encoded histogram of milliseconds."""
    cpu_s: float = 0.0


class Failed(Struct, frozen=True, kw_only=True, tag="failed"):
    why: str


Word = Ready | Progress | Done | Tallied | Failed
