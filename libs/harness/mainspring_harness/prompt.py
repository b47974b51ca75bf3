"""Builds what a model is sent: the system prompt with its tags, the messages, the tools.

The shapes and their order are those of the reference: capability blocks first and the tiers' own
prompt last, so that a tier has the last word; static facts in the cached prefix; dynamic facts as
messages after the inputs they belong to. Texts are put between tags as they are: a model reads
them, no parser does.
"""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from mainspring_harness.capability import Applied, Fact, PromptContext, no_facts
from mainspring_harness.conversation import FactsMessage, PromptMessage, UserMessage
from mainspring_harness.registry import Registry
from mainspring_harness.toolset import Offered, tool_set
from mainspring_schema.agents import RuntimeAgent, ToolDefinition


class Skill(Struct, frozen=True, kw_only=True):
    """A skill as the prompt lists it."""

    name: str
    description: str


class Surroundings(Struct, frozen=True, kw_only=True):
    """What a prompt takes from the session beside its configuration. None and () mean absent."""

    agent_instructions: str | None = None
    session_goal: str | None = None
    skills: tuple[Skill, ...] = ()


class Blueprint(Struct, frozen=True, kw_only=True):
    """A folded agent with its capabilities applied: what stays the same for all its prompts."""

    agent: RuntimeAgent
    applied: tuple[Applied, ...]
    tools: dict[str, Offered]

    @property
    def definitions(self) -> tuple[ToolDefinition, ...]:
        """The tools as they are offered to the model, in order."""
        return tuple(tool.definition for tool in self.tools.values())


def blueprint(agent: RuntimeAgent, registry: Registry) -> Blueprint:
    """Applies an agent's capabilities. Raises what `Registry.resolve` raises."""
    applied = registry.resolve(agent.capabilities)
    tools = tool_set(agent.tools, applied)
    if agent.allowed_tools is not None:
        tools = {name: tool for name, tool in tools.items() if name in agent.allowed_tools}
    return Blueprint(agent=agent, applied=applied, tools=tools)


def system_prompt(plan: Blueprint, surroundings: Surroundings | None = None) -> str:
    """The system prompt; empty where nobody contributes anything."""
    around = surroundings or Surroundings(agent_instructions=plan.agent.agent_instructions)
    context = PromptContext(model=plan.agent.model)
    blocks = [*_instructions(around), *_contributions(plan.applied, context)]
    own = plan.agent.system_prompt
    if own:
        blocks.append(f"<system-prompt>\n{own}\n</system-prompt>" if blocks else own)
    static = [fact for fact in _facts(plan.applied, context) if not fact.dynamic]
    if static:
        blocks.append(_facts_block(static))
    blocks.extend(_session_blocks(around))
    return "\n\n".join(blocks)


def with_dynamic_facts(
    plan: Blueprint, messages: Sequence[PromptMessage]
) -> tuple[PromptMessage, ...]:
    """The messages with dynamic facts after each group of inputs that was taken up together."""
    if not any(one.capability.facts is not no_facts for one in plan.applied):
        return tuple(messages)
    return tuple(_interleaved(plan, messages))


def _interleaved(plan: Blueprint, messages: Sequence[PromptMessage]) -> Iterator[PromptMessage]:
    following = [*messages[1:], None]
    for message, after in zip(messages, following, strict=True):
        yield message
        if not isinstance(message, UserMessage):
            continue
        if isinstance(after, UserMessage) and after.consumed_ms == message.consumed_ms:
            continue
        context = PromptContext(model=plan.agent.model, at_ms=message.consumed_ms)
        dynamic = [fact for fact in _facts(plan.applied, context) if fact.dynamic]
        if dynamic:
            yield FactsMessage(text=_facts_block(dynamic))


def _instructions(around: Surroundings) -> Iterator[str]:
    if around.agent_instructions:
        yield (
            '<agent-instructions source="AGENTS.md">\n'
            f"{around.agent_instructions}\n</agent-instructions>"
        )


def _contributions(applied: Sequence[Applied], context: PromptContext) -> Iterator[str]:
    for one in applied:
        text = one.capability.prompt(one.config, context)
        if text:
            yield f'<capability id="{one.id}">\n{text}\n</capability>'


def _session_blocks(around: Surroundings) -> Iterator[str]:
    if around.session_goal:
        yield f"<session-goal>\n{around.session_goal}\n</session-goal>"
    if around.skills:
        rows = "\n".join(
            f"<skill>\n<name>{skill.name}</name>\n"
            f"<description>{skill.description}</description>\n</skill>"
            for skill in around.skills
        )
        yield f"<available_skills>\n{rows}\n</available_skills>"


def _facts(applied: Sequence[Applied], context: PromptContext) -> list[Fact]:
    return [fact for one in applied for fact in one.capability.facts(one.config, context)]


def _facts_block(facts: Iterable[Fact]) -> str:
    lines = "\n".join(fact.text for fact in facts)
    return f"<facts>\n{lines}\n</facts>"
