"""What an engine hands to a worker, and what comes back.

Carried as MessagePack inside worker frames.
"""

from typing import Literal
from uuid import UUID

from msgspec import Struct

from mainspring_schema.agents import EffectClass
from mainspring_schema.events import Usage
from mainspring_schema.lineage import ChildTurn
from mainspring_schema.messages import Controls, ImagePart, Json
from mainspring_schema.workflows import Flaw, Mismatch, StepRecord, Wait

ErrorClass = Literal[
    "transient",
    "rate_limited",
    "invalid_request",
    "auth",
    "context_overflow",
    "model_output",
    "cancelled",
    "poison",
    "unknown",
]


class ReasonTask(Struct, frozen=True, kw_only=True, tag="reason"):
    """One model call.

    The prompt is the fold of the session's events up to `through_seq`; the newest of them travel
    with the task (`frames.Task.tail`), the rest is read from the event store once. `message_id`
    anchors the deltas.
    """

    turn_id: UUID
    iteration: int
    message_id: UUID
    through_seq: int
    config_hash: bytes
    controls: Controls | None = None


class ToolTask(Struct, frozen=True, kw_only=True, tag="tool"):
    """One tool call. `idempotency_key` is the same in every attempt.

    `edited`: a person has changed the arguments, which are checked before the call. With `brought`
    the call has been made elsewhere, and only its outcome is to be read. `limit_s` is how long it
    may take, 0 the time that the house gives every call.
    """

    turn_id: UUID
    iteration: int
    index: int
    call_id: str
    name: str
    arguments: object
    effect_class: EffectClass
    capability_id: str | None
    idempotency_key: str
    config_hash: bytes
    edited: bool = False
    guarded: bool = False
    brought: "ToolResult | None" = None
    limit_s: int = 0


class WorkflowTask(Struct, frozen=True, kw_only=True, tag="workflow"):
    """One go at a user's workflow: from its start, or from where it waited, until it waits or ends.

    What is recorded of it comes apart (`frames.History`), for it may be long. `generation` counts
    how often its code started over: what was recorded before is not read any more.

    `go` counts these tasks. `rested` is the fence of the attempt at the one before that left the
    workflow at rest, and 0 where none did: since then only the engine has recorded anything, and
    only at what that attempt waited for.
    """

    workflow_id: UUID
    workflow_type: str
    key: str
    generation: int = 0
    go: int = 0
    rested: int = 0


class PlainTask(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="task", gc=False):
    """One call of a step without a workflow around it. `input` is the JSON of the arguments.

    What a requeue needs stands here: `source` is the task that it takes up again. `traceparent`
    is no part of what is to be done: tasks that differ in it alone are the same.
    """

    task_type: str
    input: bytes
    queue: str = "default"
    priority: int = 0
    source: UUID | None = None
    traceparent: str | None = None
    build: str = ""
    keys: tuple[str, ...] = ()
    circuit: str = ""
    start_within_ms: int | None = None


class StepTask(Struct, frozen=True, kw_only=True, tag="step"):
    """One step of a declared workflow: a call as of a `PlainTask`, and answered as one.

    `step` is its place: its number in the declaration.
    """

    workflow_id: UUID
    step: str
    task_type: str
    input: bytes


class QueryTask(Struct, frozen=True, kw_only=True, tag="query"):
    """A question to a workflow's code. No row stands behind it: nothing comes of a lost one.

    Its record is asked for as of a `WorkflowTask`. `arguments` is the JSON of the handler's.
    """

    workflow_id: UUID
    workflow_type: str
    generation: int = 0
    name: str
    arguments: bytes


TaskPayload = ReasonTask | ToolTask | WorkflowTask | PlainTask | StepTask
"""What a task is made with."""
AttemptPayload = TaskPayload | QueryTask
"""What a worker is given."""


class ToolCall(Struct, frozen=True, kw_only=True):
    """A call the model asks for, resolved by the worker against the folded tools.

    `arguments` is the parsed object, or the raw text where it was no JSON; `problem` then says so.
    `narration` is what the call is for, in words for people.
    With an `appeal` it waits for a person, at most `expires_s`; `on_silence` is the result of a
    question that nobody answered. What a `guarded` call returns is checked before the model reads
    it. `limit_s` is as of a `ToolTask`. Calls of one `concurrency_class` in one answer are made one
    after the other; the client sees to its own.
    """

    id: str
    name: str
    arguments: object
    client_side: bool = False
    effect_class: EffectClass = "pure"
    capability_id: str | None = None
    display_name: str | None = None
    problem: str | None = None
    probed: bool = False
    narration: str | None = None
    appeal: Literal["approval", "question"] | None = None
    appeal_reason: str = ""
    expires_s: int = 0
    on_silence: object = None
    guarded: bool = False
    limit_s: int = 0
    concurrency_class: str | None = None


class Failure(Struct, frozen=True, kw_only=True):
    """Why an attempt failed. `code` is stable and reaches the client; `message` is for people."""

    error_class: ErrorClass
    code: str
    message: str
    retry_after_ms: int | None = None


class Judged(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What judges have used; they ask the agent's first model, or the one that is to judge."""

    calls: int = 0
    usage: Usage = Usage()
    duration_ms: int = 0

    def plus(self, other: "Judged") -> "Judged":
        return Judged(
            calls=self.calls + other.calls,
            usage=self.usage.plus(other.usage),
            duration_ms=self.duration_ms + other.duration_ms,
        )


class ReasonResult(Struct, frozen=True, kw_only=True, tag="reason"):
    """The outcome of one model call; `failure` instead of content where it failed.

    `request_hash` is the SHA-256 of the canonical request; `message_count` how many messages it
    held. `choice` is the place of the model that was asked: 0, or one of its fallbacks. `usage` is
    also that of `helper_calls` to it: summaries, and repairs of the answer.
    """

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    thinking: str | None = None
    thinking_signature: str | None = None
    usage: Usage = Usage()
    finish_reason: str | None = None
    response_id: str | None = None
    response_model: str | None = None
    choice: int = 0
    duration_ms: int = 0
    time_to_first_token_ms: int | None = None
    request_hash: bytes = b""
    message_count: int = 0
    tools: tuple[str, ...] = ()
    failure: Failure | None = None
    helper_calls: int = 0
    judged: Judged | None = None


class ToolResult(Struct, frozen=True, kw_only=True, tag="tool"):
    """The outcome of one tool call. An error is a result: the model sees it.

    With `joins` there is none yet: the call is given back until there is news of a child, and made
    again then. An engine that does not know of it takes `result` for what it says.

    `unread`: nobody has held it against the agent's rules and the bound of an event yet, for the
    worker that made the call cannot; a worker of the house does (`ToolTask.brought`).

    `images` are shown beside `result`, which names each; an engine that does not know of them has
    the names alone.
    """

    status: Literal["success", "error", "timeout", "cancelled", "unknown"]
    result: object = None
    error: str | None = None
    duration_ms: int = 0
    failure: Failure | None = None
    joins: ChildTurn | None = None
    unread: bool = False
    judged: Judged | None = None
    images: tuple[ImagePart, ...] = ()


class WorkflowResult(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="workflow"):
    """How one go at a workflow ended.

    `suspended` waits for what stands in `waits`; `held` met code that does not fit (`mismatch`).
    `renewed` starts over with `result` for its input, as a new generation; what came to `waits` the
    code never took. `declared` has no code: the engine runs `declaration` instead. `steps` are
    those that were not sent before.
    """

    outcome: Literal["completed", "failed", "cancelled", "suspended", "held", "renewed", "declared"]
    result: bytes = b"null"
    flaw: Flaw | None = None
    steps: tuple[StepRecord, ...] = ()
    waits: tuple[Wait, ...] = ()
    mismatch: Mismatch | None = None
    declaration: bytes = b""


class PlainResult(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="task", gc=False):
    """How an attempt at a plain task or a declared step ended: with a result, or with a flaw.

    `retry_ms` is how long its worker wants to wait for the next attempt; None for none. `lasting`:
    the flaw is the call's own, every attempt would end so.
    """

    result: bytes = b"null"
    flaw: Flaw | None = None
    retry_ms: int | None = None
    lasting: bool = False


class QueryResult(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="query"):
    """What the workflow's handler answered, as JSON; or why it did not."""

    result: bytes = b"null"
    flaw: Flaw | None = None


TaskResult = ReasonResult | ToolResult | WorkflowResult | PlainResult
"""How an attempt at a task ended."""
AttemptResult = TaskResult | QueryResult
"""What a worker brings."""


class EmitEvent(Struct, frozen=True, kw_only=True):
    """An event in mid attempt; the engine adds the context."""

    type: str
    data: Json


class NamedCall(Struct, frozen=True, kw_only=True):
    """How the id of the n-th call of a model step is made.

    Stable over attempts, unique in the session.
    """

    turn_id: UUID
    iteration: int
    index: int

    def id(self) -> str:
        return f"call_{self.turn_id.hex[:20]}_{self.iteration}_{self.index}"
