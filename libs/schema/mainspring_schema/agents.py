"""The three tiers and what they fold into."""

from typing import Final, Literal

import msgspec
from msgspec import Struct, field

from mainspring_schema.events import Usage
from mainspring_schema.mcp import McpServer
from mainspring_schema.messages import Json


class CapabilityRef(Struct, frozen=True, kw_only=True, omit_defaults=True):
    ref: str
    config: Json | None = None


class ToolHints(Struct, frozen=True, kw_only=True, omit_defaults=True):
    readonly: bool | None = None
    destructive: bool | None = None
    idempotent: bool | None = None
    open_world: bool | None = None
    long_running: bool | None = None
    cpu_bound: bool | None = None
    requires_secrets: bool | None = None
    persist_output: bool | None = None
    supports_background: bool | None = None
    concurrency_class: str | None = None
    side_effect_class: str | None = None
    capability_id: str | None = None
    capability_name: str | None = None
    narration_noun: str | None = None


EffectClass = Literal["pure", "idempotent", "at_most_once", "verifiable"]
BOUND: Final[frozenset[EffectClass]] = frozenset({"at_most_once", "verifiable"})
"""Classes whose start is committed before the call, and whose broken-off call has no known end."""


class ToolDefinition(
    Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"kind": "type"}
):
    """`parameters` is a JSON Schema; `effect_class` says what a crash may do to a call.

    `probed`: a probe can tell afterwards what became of a `verifiable` call; without one a call
    that was lost after its start ends unknown.
    """

    name: str
    kind: Literal["builtin", "client_side"] = field(default="builtin")
    description: str = ""
    parameters: Json = field(default_factory=dict)
    display_name: str | None = None
    category: str | None = None
    hints: ToolHints | None = None
    deferrable: Literal["never", "automatic", "always"] | None = None
    full_parameters: Json | None = None
    policy: str | None = None
    effect_class: EffectClass = "at_most_once"
    probed: bool = False


class InitialFile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    path: str
    content: str
    encoding: Literal["text", "base64"] = "text"
    is_readonly: bool = False


class NetworkAccess(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Host patterns. `allowed = None` allows every host that is not blocked."""

    allowed: tuple[str, ...] | None = None
    blocked: tuple[str, ...] = ()


class Layer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One tier before folding.

    A harness (one Layer per ancestor, root first), an agent or a session.
    """

    origin: Literal["harness", "agent", "session"]
    origin_id: str
    name: str = ""
    system_prompt: str | None = None
    capabilities: tuple[CapabilityRef, ...] = ()
    tools: tuple[ToolDefinition, ...] = ()
    initial_files: tuple[InitialFile, ...] = ()
    mcp_servers: dict[str, Json] = field(default_factory=dict)
    network_access: NetworkAccess | None = None
    model_id: str | None = None
    max_iterations: int | None = None
    parallel_tool_calls: bool | None = None


NO_DRIVER: Final = "unknown"
"""The driver of a model that nobody knows: its turn fails, and says so."""


class Prices(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """In US dollars for a million tokens. None: what a cache is about costs as other input."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None

    def cost_usd(self, usage: Usage) -> float:
        """Of what a call used, or several; what a cache held, or was to, is a part of its input."""
        read = min(usage.cache_read_tokens or 0, usage.input_tokens)
        written = min(usage.cache_creation_tokens or 0, usage.input_tokens - read)
        reading = self.input if self.cache_read is None else self.cache_read
        writing = self.input if self.cache_write is None else self.cache_write
        paid = (usage.input_tokens - read - written) * self.input + read * reading
        return (paid + written * writing + usage.output_tokens * self.output) / 1_000_000


class ModelChoice(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything a worker needs to call a model, except its credentials.

    `model` is the provider's own name; `driver` names the code that speaks to it (`llmsim`,
    `openai`, ...).
    """

    model_id: str
    model: str
    provider_id: str
    driver: str
    provider: str
    base_url: str | None = None
    fallbacks: "tuple[ModelChoice, ...]" = ()
    """Asked in turn where this one fails; theirs are not followed."""
    prices: Prices | None = None
    """None where nobody has said what it costs."""
    sees: bool | None = None
    """Whether it reads images; None where nobody has said."""

    def in_turn(self, failures: int) -> tuple[int, "ModelChoice"]:
        """Whom an attempt asks, and its place: each failure leads on to the next, round and round.

        `failures` counts the failed attempts before.
        """
        chain = (self, *self.fallbacks)
        place = failures % len(chain)
        return place, chain[place]


class RuntimeAgent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The folded configuration of one turn. Its canonical JSON is what `config_hash` hashes.

    `agent_instructions` are those of the workspace, where the agent reads any, as they were when
    the turn's message came. `system_prompt` is the folded text of the tiers, before the prompt
    builder adds capability blocks. `tools` are those the tiers name themselves; capabilities add
    theirs when the prompt is built, and `mcp_servers` theirs when a session first asks them.
    """

    harness_id: str
    agent_id: str | None = None
    agent_name: str | None = None
    agent_description: str | None = None
    system_prompt: str = ""
    capabilities: tuple[CapabilityRef, ...] = ()
    tools: tuple[ToolDefinition, ...] = ()
    model: ModelChoice
    max_iterations: int
    parallel_tool_calls: bool = True
    network_access: NetworkAccess | None = None
    agent_instructions: str | None = None
    mcp_servers: dict[str, McpServer] = field(default_factory=dict)
    allowed_tools: tuple[str, ...] | None = None
    """Of a child: the tools it may have; None allows all of its parent's."""
    ancestors: tuple[str, ...] = ()
    """Of a child: the sessions above it, root first, whose budgets it falls under."""
    user: str | None = None
    """Whose budgets it falls under, too: a user of an application's own; None is everybody else."""
    call_limit_s: int = 0
    """Of a background call: how long it may take; 0 leaves it to the house."""
    judge: ModelChoice | None = None
    """Whom guardrails ask; None is the model itself. Of a background call that is a relay, which
    judges nothing."""


def encode_runtime_agent(agent: RuntimeAgent) -> bytes:
    """The bytes that travel and are stored by hash."""
    return msgspec.json.encode(agent, order="sorted")


_RUNTIME_AGENT = msgspec.json.Decoder(RuntimeAgent)


def decode_runtime_agent(data: bytes) -> RuntimeAgent:
    return _RUNTIME_AGENT.decode(data)
