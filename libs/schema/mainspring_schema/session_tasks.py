"""Tasks of a session: work that goes on beside its conversation, in a child session each.

A `subagent` thinks for itself; a `background_tool` is one tool call, and its result.
"""

from typing import Literal
from uuid import UUID

from msgspec import Struct

from mainspring_schema.asking import Order, Question
from mainspring_schema.messages import Json

SessionTaskKind = Literal["subagent", "background_tool"]
SessionTaskState = Literal["queued", "running", "awaiting_input", "succeeded", "failed", "canceled"]
OVER = frozenset({"succeeded", "failed", "canceled"})
"""States that a task does not leave, unless it is sent another message."""


class SessionTaskView(Struct, frozen=True, kw_only=True):
    """A task as it stands now. `result` is what the child said last, once it is over.

    Ids as on the wire, but `turn_id`, the turn of the child whose state it shows. `detail` says why
    it failed, or what it waits for.
    """

    id: str
    name: str
    instructions: str
    child_session_id: str
    turn_id: UUID | None = None
    state: SessionTaskState
    result: str | None = None
    detail: str | None = None
    created_ms: int
    updated_ms: int
    kind: SessionTaskKind = "subagent"


class SessionTasks(Struct, frozen=True, kw_only=True):
    """Newest first."""

    tasks: tuple[SessionTaskView, ...]


class ListSessionTasks(Question[SessionTasks], frozen=True, kw_only=True, tag="list_session_tasks"):
    """Those of the session whose task is held."""


class GetSessionTask(Question[SessionTaskView], frozen=True, kw_only=True, tag="get_session_task"):
    """Raises NotFound, also for another session's."""

    id: str


class SpawnAgent(Order[SessionTaskView], frozen=True, kw_only=True, tag="spawn_agent"):
    """Gives `instructions` to a child of the session; the same call gives them once.

    The child has its parent's harness and agent, and of their tools those that `tools` names, or
    all. `depth` is how far below it more may be spawned, `width` how many tasks of one session may
    be at work together, `turn_id` the turn that makes the call. Raises Conflict where there are too
    many, ValidationFailed too deep.
    """

    name: str
    instructions: str
    tools: tuple[str, ...] | None = None
    own_files: bool = False
    depth: int
    width: int
    turn_id: UUID | None = None


class StartCall(Order[SessionTaskView], frozen=True, kw_only=True, tag="start_call"):
    """Has one call of a tool of the session's agent made in the background, `limit_s` at most.

    The same order starts one call. `width` is how many may be at work together, `turn_id` the turn
    that asks for it; with `wakes` the session is told when it is over. Raises Conflict where there
    are too many.
    """

    name: str
    tool: str
    arguments: Json
    limit_s: int
    width: int
    wakes: bool = True
    turn_id: UUID | None = None


class MessageTask(Order[SessionTaskView], frozen=True, kw_only=True, tag="message_task"):
    """Says something to the child, which hears it at its next step or begins anew.

    `turn_id` is the turn that makes the call. Raises NotFound.
    """

    id: str
    text: str
    turn_id: UUID | None = None


class CancelTask(Order[SessionTaskView], frozen=True, kw_only=True, tag="cancel_task"):
    """Ends what the child does, and what it has spawned. Raises NotFound."""

    id: str
