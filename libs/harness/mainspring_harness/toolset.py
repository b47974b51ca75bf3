"""The tools of one agent by name, and what becomes of the calls that a model asks for."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct, structs

from mainspring_harness import arguments, intents
from mainspring_harness.capability import Applied
from mainspring_harness.errors import InvalidToolSchema
from mainspring_kernel import limits
from mainspring_schema.agents import EffectClass, ToolDefinition
from mainspring_schema.codec import read_foreign
from mainspring_schema.tasks import NamedCall, ToolCall


class Offered(Struct, frozen=True, kw_only=True):
    """A tool with what decides how a call of it is carried out."""

    definition: ToolDefinition
    capability_id: str | None = None
    own: ToolDefinition | None = None
    """As its maker defined it, where the model sees one more argument."""

    @property
    def client_side(self) -> bool:
        """Whether the client that watches the session carries calls out."""
        return self.definition.kind == "client_side"

    @property
    def effect_class(self) -> EffectClass:
        """What a crash may do to a call."""
        return self.definition.effect_class

    @property
    def concurrency_class(self) -> str | None:
        """Calls of which class are made one after the other; a client sees to its own."""
        hints = self.definition.hints
        return None if hints is None or self.client_side else hints.concurrency_class or None


ToolSet = Mapping[str, Offered]
"""Name -> tool, in the order in which they are offered to the model."""


def tool_set(own: Sequence[ToolDefinition], applied: Sequence[Applied]) -> dict[str, Offered]:
    """The tools that the tiers name themselves (`own`), then those of the capabilities.

    A name counts once. A tier's definition wins over a capability's of the same name; where it is
    no client-side tool, the capability still carries it out.
    """
    offered = {tool.name: Offered(definition=tool) for tool in own}
    for one in applied:
        for definition in one.capability.tools(one.config):
            named = offered.get(definition.name)
            if named is None:
                offered[definition.name] = Offered(definition=definition, capability_id=one.id)
            elif not named.client_side and named.capability_id is None:
                offered[definition.name] = Offered(
                    definition=named.definition, capability_id=one.id
                )
    if any(one.id == intents.CAPABILITY for one in applied):
        return {name: _asking(tool) for name, tool in offered.items()}
    return offered


def _asking(tool: Offered) -> Offered:
    if intents.has_argument(tool.definition):
        return tool
    return structs.replace(tool, definition=intents.asking(tool.definition), own=tool.definition)


class AskedCall(NamedTuple):
    """A call as the model wrote it: a name, and the text of its arguments."""

    name: str
    arguments: str


def resolve_calls(
    asked: Sequence[AskedCall],
    tools: ToolSet,
    *,
    turn_id: UUID,
    iteration: int,
    cut: bool = False,
) -> tuple[ToolCall, ...]:
    """Each call with its stable id, and `problem` where it cannot be carried out.

    A call with a problem becomes an error result for the model, which may then do better. `cut`
    tells that the answer reached its token bound, so that text which is no JSON says why.
    """
    calls: list[ToolCall] = []
    for index, call in enumerate(asked):
        id_ = NamedCall(turn_id=turn_id, iteration=iteration, index=index).id()
        if index >= limits.TOOL_CALLS_PER_RESPONSE_MAX:
            problem = (
                f"too many tool calls in one answer: at most "
                f"{limits.TOOL_CALLS_PER_RESPONSE_MAX} are carried out"
            )
            calls.append(ToolCall(id=id_, name=call.name, arguments={}, problem=problem))
        else:
            calls.append(_resolve(id_, call, tools, cut=cut))
    return tuple(calls)


def _resolve(id_: str, call: AskedCall, tools: ToolSet, *, cut: bool) -> ToolCall:
    offered = tools.get(call.name)
    parsed, problem = _parse(call.arguments, cut=cut)
    if offered is None:
        return ToolCall(
            id=id_, name=call.name, arguments=parsed, problem=_unknown(call.name, tools)
        )
    narration: str | None = None
    if offered.own is not None:
        parsed, narration = intents.told(parsed)
    if problem is None:
        problem = _misfit(offered.own or offered.definition, parsed)
    return ToolCall(
        id=id_,
        name=call.name,
        arguments=parsed,
        client_side=offered.client_side,
        effect_class=offered.effect_class,
        capability_id=offered.capability_id,
        display_name=offered.definition.display_name,
        narration=narration,
        problem=problem,
        probed=offered.definition.probed,
        concurrency_class=offered.concurrency_class,
    )


def _parse(text: str, *, cut: bool) -> tuple[object, str | None]:
    # Providers write nothing at all for a tool without parameters.
    if not text.strip():
        return {}, None
    try:
        return read_foreign(text), None
    except ValueError as error:
        why = "the answer was cut at its token bound" if cut else str(error)
        return text, f"invalid arguments: not valid JSON ({why})"


def _unknown(name: str, tools: ToolSet) -> str:
    known = ", ".join(tools) or "none"
    return f"unknown tool {name!r}; available tools: {known}"


def _misfit(definition: ToolDefinition, parsed: object) -> str | None:
    schema = definition.full_parameters or definition.parameters
    try:
        found = arguments.problems(definition.name, schema, parsed)
    except InvalidToolSchema as error:
        return f"the tool cannot be called: {error.detail}"
    return f"invalid arguments: {'; '.join(found)}" if found else None
