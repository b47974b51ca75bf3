"""What a capability is: something an agent is given by name, and what it brings along.

A capability decides, it does not act: it contributes text, facts and tool definitions, and code in
the worker carries its tools out. So api can preview a prompt with exactly what a worker sends.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from msgspec import Struct

from mainspring_schema.agents import ModelChoice, ToolDefinition
from mainspring_schema.messages import Json


class Info(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the catalogue shows. `dependencies` are ids; `features` are flags that a UI reads.

    `risk_level` high needs an administrator. `aliases` are former ids that old refs still use.
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Capability:
    """A capability as a value: what it is, and pure functions for what it contributes.

    Each function gets the object given with the ref, checked against `info.config_schema` and
    `config_problems` (what a schema cannot say); `{}` where none was given. `prompt` returns text
    without its tags. Static facts must not depend on `context.at_ms`. `tools` are definitions only.
    """

    info: Info
    config_problems: Callable[[Json], tuple[str, ...]] = no_problems
    prompt: Callable[[Json, PromptContext], str | None] = no_prompt
    facts: Callable[[Json, PromptContext], tuple[Fact, ...]] = no_facts
    tools: Callable[[Json], tuple[ToolDefinition, ...]] = no_tools


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
