"""What the bench asks of its load processes and what they answer: one line of JSON each."""

from msgspec import Struct


class Open(Struct, frozen=True, kw_only=True, tag="open"):
    """Create sessions and open a stream on each; answered by `Ready`."""

    host: str
    port: int
    agent_id: str
    org_ids: list[str]
    sessions: int


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

    turns_per_s: float
    until_s: float


class Grow(Struct, frozen=True, kw_only=True, tag="grow"):
    """The first session grows to `messages`; then its turns and those of young ones alternate."""

    messages: int
    samples: int


class Probe(Struct, frozen=True, kw_only=True, tag="probe"):
    """Dispatch: this process becomes the only worker, and submits."""

    host: str
    port: int
    agent_id: str
    engine: str
    sessions: int
    samples: int
    pause_s: float


Order = Open | Turns | Pace | Grow | Probe


class Ready(Struct, frozen=True, kw_only=True, tag="ready"):
    """Sessions and streams are there."""


class Progress(Struct, frozen=True, kw_only=True, tag="progress"):
    done: int


class Turn(Struct, frozen=True, array_like=True):
    ended_s: float
    """On the monotonic clock."""
    ms: float


class Done(Struct, frozen=True, kw_only=True, tag="done"):
    """`asked` turns are answered with 2xx, `completed` were seen to complete on the stream."""

    asked: int = 0
    completed: int = 0
    turns: list[Turn] = []
    late_ms: list[float] = []
    young_ms: list[float] = []
    old_ms: list[float] = []
    dispatch_ms: list[float] = []
    cpu_s: float = 0.0


class Failed(Struct, frozen=True, kw_only=True, tag="failed"):
    why: str


Word = Ready | Progress | Done | Failed
