"""What a capability is: something an agent is given by name, and what it brings along.

What it contributes (text, facts, definitions of tools, files, hooks, a view of the conversation) is
decided by pure functions, so that api can preview a prompt with exactly what a worker sends. `code`
acts, and only a worker calls it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from mainspring_harness.calling import ToolFunction
from mainspring_harness.conversation import PromptMessage
from mainspring_schema.agents import InitialFile, ModelChoice, ToolDefinition
from mainspring_schema.hooks import Hook
from mainspring_schema.messages import Json

C = TypeVar("C", bound=Struct)


class Info(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the catalogue shows. `dependencies` are ids; `features` are flags that a UI reads.

    `risk_level` tells people; nothing is refused by it. `aliases` are former ids that old refs
    still use.
    """

    id: str
    name: str
    description: str
    status: Literal["available", "coming_soon", "deprecated", "retired"]
    category: str | None = None
    icon: str | None = None
    dependencies: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    config_schema: Json | None = None
    config_ui_schema: Json | None = None
    risk_level: Literal["low", "medium", "high"] = "low"
    is_guardrail: bool = False
    docs_slug: str | None = None


class CatalogueEntry(Struct, frozen=True, kw_only=True):
    """A row of the catalogue: what a capability is and the tools of its default configuration."""

    info: Info
    tool_definitions: tuple[ToolDefinition, ...]


class PromptContext(Struct, frozen=True, kw_only=True):
    """What a contribution may depend on. `at_ms` is when the newest input was taken up.

    It is the time of a committed event, never the present, so that every attempt of a model call
    makes the same prompt.
    """

    model: ModelChoice
    at_ms: int = 0


class Fact(Struct, frozen=True, kw_only=True):
    """A line the model may rely on. A dynamic one follows an input, so the prefix stays cached."""

    text: str
    dynamic: bool = False


def no_problems(_config: Json) -> tuple[str, ...]:
    """For a capability whose schema says everything."""
    return ()


def no_prompt(_config: Json, _context: PromptContext) -> str | None:
    """For a capability that adds nothing to the system prompt."""
    return None


def no_facts(_config: Json, _context: PromptContext) -> tuple[Fact, ...]:
    """For a capability that states nothing."""
    return ()


def no_tools(_config: Json) -> tuple[ToolDefinition, ...]:
    """For a capability without tools."""
    return ()


def no_mounts(_config: Json) -> tuple[InitialFile, ...]:
    """For a capability without files."""
    return ()


def no_hooks(_config: Json) -> tuple[Hook, ...]:
    """For a capability that asks nobody."""
    return ()


def no_needs(_config: Json) -> tuple[str, ...]:
    """For a capability that depends on the same whatever its configuration."""
    return ()


Messages: TypeAlias = tuple[PromptMessage, ...]


def all_messages(_config: Json, _context: PromptContext, messages: Messages) -> Messages:
    """For a capability that shows the conversation as it is."""
    return messages


@dataclass(frozen=True, kw_only=True, slots=True)
class Capability:
    """A capability as a value: what it is, and pure functions for what it contributes.

    Each function gets the object given with the ref, checked against `info.config_schema` and
    `config_problems` (what a schema cannot say); `{}` where none was given, and for the catalogue.
    `prompt` returns text without its tags. Static facts must not depend on `context.at_ms`. `tools`
    are definitions only. `needs` are dependencies beside those of `info`. `mounts` are files that
    stand in the workspace when a message comes. `messages` is how a model is shown the conversation
    (never what stands in the log): a call and its result go together, and something is left.

    In process, `code` carries the tools out and `probes` tell what became of lost calls, by name.
    """

    info: Info
    config_problems: Callable[[Json], tuple[str, ...]] = no_problems
    prompt: Callable[[Json, PromptContext], str | None] = no_prompt
    facts: Callable[[Json, PromptContext], tuple[Fact, ...]] = no_facts
    tools: Callable[[Json], tuple[ToolDefinition, ...]] = no_tools
    needs: Callable[[Json], tuple[str, ...]] = no_needs
    mounts: Callable[[Json], tuple[InitialFile, ...]] = no_mounts
    hooks: Callable[[Json], tuple[Hook, ...]] = no_hooks
    messages: Callable[[Json, PromptContext, Messages], Messages] = all_messages
    code: Mapping[str, ToolFunction] = field(default_factory=dict[str, ToolFunction])
    probes: Mapping[str, ToolFunction] = field(default_factory=dict[str, ToolFunction])


@dataclass(frozen=True, kw_only=True, slots=True)
class Applied:
    """A capability of an agent with its checked configuration.

    `needed_by` names the capability that pulled it in; None where a tier named it.
    """

    capability: Capability
    config: Json
    needed_by: str | None = None

    @property
    def id(self) -> str:
        """The canonical id, also where an alias was written."""
        return self.capability.info.id


def config_of(applied: Iterable[Applied], id_: str) -> Json | None:
    """None for an agent that has no such capability."""
    return next((one.config for one in applied if one.id == id_), None)


def read_config(applied: Iterable[Applied], id_: str, type_: type[C]) -> C | None:
    """The same in the capability's own words."""
    config = config_of(applied, id_)
    return None if config is None else msgspec.convert(config, type_)
