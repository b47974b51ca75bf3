"""Every name of a span, metric and attribute: the one place where they are spelled.

Names for generative AI follow the OpenTelemetry conventions, of which two generations are alive:
G1 is 1.41, the last inside the core conventions; G2 is 1.42.0-dev of their own repository. The code
speaks G2; `translate` and the instruments' tables give G1 where it is asked for. What the
conventions have no name for (leases, fences, positions) stands under `mainspring.`.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final

import msgspec

from mainspring_kernel.tally import doubling

Attribute = str | bool | int | float | tuple[str, ...]
Attributes = Mapping[str, Attribute]


class Generation(Enum):
    """Which names are emitted."""

    G1 = "gen_ai_1_41"
    G2 = "gen_ai_latest_experimental"
    BOTH = "gen_ai/dup"


def generation_of(opt_in: str) -> Generation:
    """From OTEL_SEMCONV_STABILITY_OPT_IN, a list with commas. G2 where it names none of ours."""
    wanted = {part.strip() for part in opt_in.split(",")}
    for generation in (Generation.BOTH, Generation.G2, Generation.G1):
        if generation.value in wanted:
            return generation
    return Generation.G2


SCHEMA_URL: Final = {
    Generation.G1: "https://opentelemetry.io/schemas/1.41.0",
    Generation.G2: "https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev",
    Generation.BOTH: "https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev",
}
SCOPE: Final = "mainspring"

# ── spans ───────────────────────────────────────────────────────────────────────────────────────

SPAN_SUBMIT: Final = "mainspring.submit"
"""Engine: a message comes in, from its arrival to its commit."""
SPAN_WORKFLOW: Final = "mainspring.workflow"
SPAN_ATTEMPT: Final = "mainspring.attempt"
"""Engine, made after the fact: one attempt of a task, from its claim to its close."""
SPAN_APPEND: Final = "mainspring.append_deltas"
"""Event store: the deltas of one stream in one flight."""
SPAN_READ: Final = "mainspring.read_log"
"""Event store: one Read."""

OPERATION_AGENT: Final = "invoke_agent"
OPERATION_CHAT: Final = "chat"
OPERATION_TOOL: Final = "execute_tool"


def agent_span(agent: str | None) -> str:
    """One turn."""
    return f"{OPERATION_AGENT} {agent}" if agent else OPERATION_AGENT


def workflow_span(type_: str) -> str:
    """One workflow of users' code, from its start to its end."""
    return f"{SPAN_WORKFLOW} {type_}" if type_ else SPAN_WORKFLOW


def chat_span(model: str | None) -> str:
    """One attempt of a model call."""
    return f"{OPERATION_CHAT} {model}" if model else OPERATION_CHAT


def tool_span(tool: str) -> str:
    """One attempt of a tool call."""
    return f"{OPERATION_TOOL} {tool}"


# ── attributes of the conventions (G2) ──────────────────────────────────────────────────────────

AGENT_ID: Final = "gen_ai.agent.id"
AGENT_NAME: Final = "gen_ai.agent.name"
AGENT_VERSION: Final = "gen_ai.agent.version"
CONVERSATION_ID: Final = "gen_ai.conversation.id"
CONVERSATION_COMPACTED: Final = "gen_ai.conversation.compacted"
OPERATION_NAME: Final = "gen_ai.operation.name"
PROVIDER_NAME: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_STREAM: Final = "gen_ai.request.stream"
REQUEST_REASONING_LEVEL: Final = "gen_ai.request.reasoning.level"
RESPONSE_ID: Final = "gen_ai.response.id"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
RESPONSE_TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
USAGE_INPUT: Final = "gen_ai.usage.input_tokens"
USAGE_OUTPUT: Final = "gen_ai.usage.output_tokens"
USAGE_CACHE_READ: Final = "gen_ai.usage.cache_read.input_tokens"
USAGE_CACHE_WRITE: Final = "gen_ai.usage.cache_write.input_tokens"
USAGE_REASONING: Final = "gen_ai.usage.reasoning.output_tokens"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
TOOL_DEFINITIONS: Final = "gen_ai.tool.definitions"
TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_TYPE: Final = "gen_ai.tool.type"
TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
TOOL_CALL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
TOOL_CALL_RESULT: Final = "gen_ai.tool.call.result"
RETRIEVAL_TOP_K: Final = "gen_ai.retrieval.top_k"
TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105 - the name of a metric's dimension
TOKEN_MODALITY: Final = "gen_ai.token.modality"  # noqa: S105 - as above
ERROR_TYPE: Final = "error.type"
HTTP_METHOD: Final = "http.request.method"
HTTP_ROUTE: Final = "http.route"
HTTP_STATUS: Final = "http.response.status_code"

CONTENT: Final = frozenset(
    {
        INPUT_MESSAGES,
        OUTPUT_MESSAGES,
        SYSTEM_INSTRUCTIONS,
        TOOL_DEFINITIONS,
        TOOL_CALL_ARGUMENTS,
        TOOL_CALL_RESULT,
    }
)
"""What people said. Left out unless the operator asks for it."""

# ── our own attributes ──────────────────────────────────────────────────────────────────────────

ORG_ID: Final = "mainspring.org.id"
WORKFLOW_ID: Final = "mainspring.workflow.id"
WORKFLOW_TYPE: Final = "mainspring.workflow.type"
WORKFLOW_OUTCOME: Final = "mainspring.workflow.outcome"
TURN_ID: Final = "mainspring.turn.id"
TURN_OUTCOME: Final = "mainspring.turn.outcome"
TURN_ITERATIONS: Final = "mainspring.turn.iterations"
TASK_ID: Final = "mainspring.task.id"
STEP_OUTCOME: Final = "mainspring.step.outcome"
LEASE_FENCE: Final = "mainspring.lease.fence"
EFFECT_CLASS: Final = "mainspring.effect.class"
DELTA_COUNT: Final = "mainspring.delta.count"
LISTENER_NAME: Final = "mainspring.listener.name"
QUEUE: Final = "mainspring.queue.name"
TASK_STATE: Final = "mainspring.task.state"
CIRCUIT_KEY: Final = "mainspring.circuit.key"
TABLE: Final = "db.collection.name"

# ── between the generations ─────────────────────────────────────────────────────────────────────

_RENAMED_IN_G2: Final[dict[str, str | None]] = {
    USAGE_CACHE_WRITE: "gen_ai.usage.cache_creation.input_tokens",
    RETRIEVAL_TOP_K: "gen_ai.request.top_k",
    CONVERSATION_COMPACTED: None,
}
"""Name in G2 → name in G1; None where G1 has nothing."""
_GONE_FROM_AGENT_SPANS_IN_G2: Final = frozenset(
    {AGENT_ID, AGENT_VERSION, PROVIDER_NAME, USAGE_CACHE_READ, USAGE_CACHE_WRITE}
)
"""Of the internal `invoke_agent` span, which is ours: a turn."""


def translate(attributes: Attributes, generation: Generation) -> dict[str, Attribute]:
    """Attributes in the words of G2 as the generation wants them."""
    of_agent = attributes.get(OPERATION_NAME) == OPERATION_AGENT
    out: dict[str, Attribute] = {}
    for name, value in attributes.items():
        old = _RENAMED_IN_G2.get(name, name)
        if generation is not Generation.G1 and not (
            generation is Generation.G2 and of_agent and name in _GONE_FROM_AGENT_SPANS_IN_G2
        ):
            out[name] = value
        if generation is not Generation.G2 and old is not None:
            out[old] = value
    return out


# ── metrics ─────────────────────────────────────────────────────────────────────────────────────


class Kind(Enum):
    """How values add up."""

    COUNTER = "counter"
    HISTOGRAM = "histogram"
    GAUGE = "gauge"


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """One metric. A name of None: that generation does not have it."""

    g2: str | None
    g1: str | None
    kind: Kind
    unit: str
    purpose: str
    bounds: tuple[float, ...] | None = None

    def emitted(self, generation: Generation) -> tuple[str, ...]:
        """The names under which a value is recorded."""
        match generation:
            case Generation.G1:
                names = (self.g1,)
            case Generation.G2:
                names = (self.g2,)
            case Generation.BOTH:
                names = tuple(dict.fromkeys((self.g2, self.g1)))
        return tuple(name for name in names if name is not None)


_SECONDS: Final = doubling(0.01, 14)
_TURN_SECONDS: Final = doubling(0.1, 13)
_CALLS: Final = doubling(1, 8)
LAG_SECONDS: Final = doubling(0.001, 12)
REQUEST_SECONDS: Final = doubling(0.001, 14)
_TOKENS: Final = tuple(float(1 << 2 * n) for n in range(14))


def _model(g2: str | None, g1: str | None, purpose: str, kind: Kind = Kind.HISTOGRAM) -> Instrument:
    return Instrument(g2=g2, g1=g1, kind=kind, unit="s", purpose=purpose, bounds=_SECONDS)


def _tokens(g2: str, purpose: str) -> Instrument:
    return Instrument(g2=g2, g1=None, kind=Kind.COUNTER, unit="{token}", purpose=purpose)


def _same(
    name: str, kind: Kind, unit: str, purpose: str, bounds: tuple[float, ...] | None = None
) -> Instrument:
    return Instrument(g2=name, g1=name, kind=kind, unit=unit, purpose=purpose, bounds=bounds)


MODEL_DURATION: Final = _model(
    "gen_ai.client.inference.duration", "gen_ai.client.operation.duration", "One model call."
)
MODEL_FIRST_CHUNK: Final = _model(
    "gen_ai.client.inference.time_to_first_chunk",
    "gen_ai.client.operation.time_to_first_chunk",
    "From the request to the first chunk of the answer.",
)
TOKEN_USAGE: Final = Instrument(
    g2=None,
    g1="gen_ai.client.token.usage",
    kind=Kind.HISTOGRAM,
    unit="{token}",
    purpose="Tokens of one call by gen_ai.token.type.",
    bounds=_TOKENS,
)
CALL_INPUT_TOKENS: Final = Instrument(
    g2="gen_ai.client.inference.operation.input_tokens",
    g1=None,
    kind=Kind.HISTOGRAM,
    unit="{token}",
    purpose="Input tokens of one call.",
    bounds=_TOKENS,
)
CALL_OUTPUT_TOKENS: Final = Instrument(
    g2="gen_ai.client.inference.operation.output_tokens",
    g1=None,
    kind=Kind.HISTOGRAM,
    unit="{token}",
    purpose="Output tokens of one call.",
    bounds=_TOKENS,
)
INPUT_TOKENS: Final = _tokens("gen_ai.client.inference.usage.input_tokens", "Input tokens.")
OUTPUT_TOKENS: Final = _tokens("gen_ai.client.inference.usage.output_tokens", "Output tokens.")
CACHE_READ_TOKENS: Final = _tokens(
    "gen_ai.client.inference.usage.cache_read.input_tokens", "Input tokens read from a cache."
)
CACHE_WRITE_TOKENS: Final = _tokens(
    "gen_ai.client.inference.usage.cache_write.input_tokens", "Input tokens written to a cache."
)
REASONING_TOKENS: Final = _tokens(
    "gen_ai.client.inference.usage.reasoning.output_tokens", "Output tokens spent on thinking."
)
TOOL_DURATION: Final = _same(
    "gen_ai.execute_tool.duration", Kind.HISTOGRAM, "s", "One tool call.", _SECONDS
)
TURN_DURATION: Final = _same(
    "gen_ai.invoke_agent.duration", Kind.HISTOGRAM, "s", "One turn.", _TURN_SECONDS
)
TURN_MODEL_CALLS: Final = _same(
    "gen_ai.invoke_agent.inference_calls",
    Kind.HISTOGRAM,
    "{inference_call}",
    "Model calls of one turn.",
    _CALLS,
)
TURN_TOOL_CALLS: Final = _same(
    "gen_ai.invoke_agent.tool_calls",
    Kind.HISTOGRAM,
    "{tool_call}",
    "Tool calls of one turn.",
    _CALLS,
)
FINISH_REASONS: Final = _same(
    "mainspring.model.finish_reasons", Kind.COUNTER, "{call}", "Model calls by why they ended."
)
TURN_OUTCOMES: Final = _same(
    "mainspring.turn.outcomes", Kind.COUNTER, "{turn}", "Turns by their outcome."
)
LISTENER_DROPPED: Final = _same(
    "mainspring.listener.dropped", Kind.COUNTER, "{event}", "Events a full listener missed."
)
LISTENER_FAILED: Final = _same(
    "mainspring.listener.failed", Kind.COUNTER, "{batch}", "Batches on which a listener failed."
)

# ── what a process keeps in memory and tells when it is asked ───────────────────────────────────


def _gauge(name: str, unit: str, purpose: str) -> Instrument:
    return _same(name, Kind.GAUGE, unit, purpose)


def _count(name: str, unit: str, purpose: str) -> Instrument:
    return _same(name, Kind.COUNTER, unit, purpose)


def _spread(name: str, unit: str, purpose: str) -> Instrument:
    return _same(name, Kind.HISTOGRAM, unit, purpose)


PROCESS_UPTIME: Final = _gauge("process.uptime", "s", "How long the process lives.")
LOOP_LAG: Final = _spread("mainspring.loop.lag", "s", "How late the event loop is for a timer.")
REQUEST_DURATION: Final = _spread(
    "http.server.request.duration", "s", "One request, streams aside."
)
SSE_CLIENTS: Final = _gauge("mainspring.sse.clients", "{client}", "Open event streams.")
QUEUE_TASKS: Final = _gauge(
    "mainspring.queue.tasks", "{task}", "Open tasks by state: ready is the depth."
)
QUEUE_AGE: Final = _gauge(
    "mainspring.queue.oldest_age", "s", "How long the oldest ready task waits."
)
QUEUE_WAIT: Final = _gauge(
    "mainspring.queue.expected_wait", "s", "How long a task that comes now will wait."
)
QUEUE_UNSERVED: Final = _gauge(
    "mainspring.queue.unserved", "{task}", "Ready tasks that no active worker serves."
)
QUEUE_CUT: Final = _gauge(
    "mainspring.queue.cut", "1", "1 where more tasks are open than one look counts."
)
TASK_WAIT: Final = _spread(
    "mainspring.task.schedule_to_start", "s", "From a task's making to its first push."
)
TASK_RETRIES: Final = _count(
    "mainspring.task.retries", "{attempt}", "Attempts that get another one, by class."
)
CLAIM_TASKS: Final = _spread("mainspring.claim.tasks", "{task}", "Tasks that one claim got.")
LEASES_EXPIRED: Final = _count("mainspring.lease.expired", "{lease}", "Leases that ran out.")
COMMIT_DURATION: Final = _spread(
    "mainspring.commit.duration", "s", "One flight: decided and committed."
)
COMMIT_ITEMS: Final = _spread("mainspring.commit.items", "{item}", "Inputs in one flight.")
COMMIT_CONFLICTS: Final = _count(
    "mainspring.commit.conflicts", "{decision}", "Decided anew: another engine moved the session."
)
CIRCUIT_STATE: Final = _gauge("mainspring.circuit.state", "1", "0 closed, 1 half-open, 2 open.")
WORKER_STREAMS: Final = _gauge(
    "mainspring.worker.streams", "{stream}", "Workers attached to this engine."
)
WORKER_CREDITS: Final = _gauge("mainspring.worker.credits", "{credit}", "Their free slots.")
WORKER_HELD: Final = _gauge("mainspring.worker.held_tasks", "{task}", "Tasks that they hold.")
DEAD_LETTERS: Final = _gauge("mainspring.dead_letters", "{letter}", "Those that nobody dealt with.")
DEAD_TUPLES: Final = _gauge("mainspring.postgres.dead_tuples", "{row}", "Dead rows of a hot table.")
HORIZON_AGE: Final = _gauge(
    "mainspring.postgres.horizon_age", "s", "Age of the oldest transaction that keeps dead rows."
)
HORIZON_BEHIND: Final = _gauge(
    "mainspring.postgres.horizon_behind", "{transaction}", "Transactions begun since that horizon."
)

KEPT: Final = (
    PROCESS_UPTIME, LOOP_LAG, REQUEST_DURATION, SSE_CLIENTS, QUEUE_TASKS, QUEUE_AGE, QUEUE_WAIT,
    QUEUE_UNSERVED, QUEUE_CUT, TASK_WAIT, TASK_RETRIES, CLAIM_TASKS, LEASES_EXPIRED,
    COMMIT_DURATION, COMMIT_ITEMS, COMMIT_CONFLICTS, CIRCUIT_STATE, WORKER_STREAMS,
    WORKER_CREDITS, WORKER_HELD, DEAD_LETTERS, DEAD_TUPLES, HORIZON_AGE, HORIZON_BEHIND,
)  # fmt: skip
"""All of these; the others are recorded as they happen."""
