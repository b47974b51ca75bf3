"""What `WorkerCore` tells its driver to do."""

from typing import TypeAlias

from msgspec import Struct

from mainspring_schema.frames import Config, Held, History, Task


class Begin(Struct, frozen=True, gc=False):
    """Carry this task out; end it with exactly one of `finish`, `release` and `hand_back`."""

    task: Task


class Stop(Struct, frozen=True):
    """The task is no longer ours: stop it, its result is void."""

    held: Held


class Cancel(Struct, frozen=True):
    """Stop the task's work and report that as its result."""

    held: Held


class StartAnswered(Struct, frozen=True):
    held: Held
    granted: bool


class EmitAnswered(Struct, frozen=True):
    held: Held
    counter: int
    granted: bool


class ProgressAnswered(Struct, frozen=True):
    """The newest report of a step was kept, or refused for good."""

    held: Held
    step: str


class Refused(Struct, frozen=True):
    """The engine could not read the result. One that it took, or came too late, needs no action."""

    held: Held


class Renewed(Struct, frozen=True):
    held: Held


class Configured(Struct, frozen=True):
    config: Config


class Recorded(Struct, frozen=True):
    """Steps of a workflow in hand: a page that was asked for, or news."""

    history: History


class Joined(Struct, frozen=True):
    """The attach was accepted."""


class Leave(Struct, frozen=True):
    """The engine is going away: attach elsewhere."""


Action: TypeAlias = (
    Begin
    | Stop
    | Cancel
    | StartAnswered
    | EmitAnswered
    | ProgressAnswered
    | Refused
    | Renewed
    | Configured
    | Recorded
    | Joined
    | Leave
)
