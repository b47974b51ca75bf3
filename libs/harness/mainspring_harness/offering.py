"""Which tools a model call shows in full. Pure: it follows from the agent and the conversation."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from msgspec import Struct, structs

from mainspring_harness.builtin import tool_search
from mainspring_harness.capability import Applied, config_of
from mainspring_harness.conversation import AssistantMessage, PromptMessage, ToolReply
from mainspring_harness.toolset import ToolSet
from mainspring_schema.agents import ToolDefinition
from mainspring_schema.messages import Json

_STUB: Final[Json] = {"type": "object", "properties": {}}
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s")
_WORD: Final = re.compile(r"[a-z0-9]{2,}")
"""One letter alone ("a", the s of "tomorrow's") says nothing of what is sought."""


def offered(
    tools: ToolSet, applied: Sequence[Applied], messages: Iterable[PromptMessage]
) -> tuple[ToolDefinition, ...]:
    """The tools in order; with `tool_search`, those nobody looked for yet are only named."""
    definitions = tuple(tool.definition for tool in tools.values())
    config = config_of(applied, tool_search.ID)
    if config is None or len(definitions) < tool_search.tools_min(config):
        return definitions
    known = _looked_up(messages)
    return tuple(
        definition if _stays(definition, known) else _stub(definition) for definition in definitions
    )


def found(query: str, definitions: Iterable[ToolDefinition], *, limit: int) -> list[ToolDefinition]:
    """The tools that are named; where none is, those that share most words, best first."""
    names = set(query.replace(",", " ").split())
    everything = tuple(definitions)
    if named := [definition for definition in everything if definition.name in names]:
        return named[:limit]
    words = set(_WORD.findall(query.lower()))
    scored = [(_score(definition, words), definition) for definition in everything]
    # Sorting is stable: equal ones stay in the order in which they are offered.
    best = sorted((one for one in scored if one[0]), key=lambda one: -one[0])
    return [definition for _, definition in best[:limit]]


def _score(definition: ToolDefinition, words: set[str]) -> int:
    in_name = words & set(_WORD.findall(definition.name.lower().replace("_", " ")))
    in_text = words & set(_WORD.findall(definition.description.lower()))
    return 3 * len(in_name) + len(in_text - in_name)


def _stays(definition: ToolDefinition, known: frozenset[str]) -> bool:
    return definition.deferrable == "never" or definition.name in known


def _stub(definition: ToolDefinition) -> ToolDefinition:
    return structs.replace(
        definition,
        description=_SENTENCE.split(definition.description, maxsplit=1)[0],
        parameters=_STUB,
        full_parameters=definition.full_parameters or definition.parameters,
    )


def _looked_up(messages: Iterable[PromptMessage]) -> frozenset[str]:
    """Tools that a search showed, or that were called before."""
    names: set[str] = set()
    for message in messages:
        match message:
            case ToolReply(name=tool_search.TOOL, status="success"):
                names.update(_shown(message.text))
            case AssistantMessage():
                names.update(call.name for call in message.tool_calls)
            case _:
                continue
    return frozenset(names)


class _Named(Struct, frozen=True):
    name: str


class _Shown(Struct, frozen=True):
    tools: tuple[_Named, ...] = ()


_SHOWN: Final = msgspec.json.Decoder(_Shown)


def _shown(text: str) -> set[str]:
    try:
        return {tool.name for tool in _SHOWN.decode(text).tools}
    except msgspec.MsgspecError:
        return set()
