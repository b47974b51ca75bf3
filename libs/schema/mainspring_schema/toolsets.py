"""Tools that workers of one's own announce when they attach, under the name of their set."""

import re
from collections.abc import Iterator
from typing import Final, Literal, cast

import msgspec
from msgspec import Struct

from mainspring_kernel.errors import ValidationFailed
from mainspring_kernel.toolset_limits import (
    TOOLSET_BYTES_MAX,
    TOOLSET_NEEDS_MAX,
    TOOLSET_TOOLS_MAX,
)
from mainspring_schema import mounts
from mainspring_schema.agents import InitialFile, ToolDefinition
from mainspring_schema.asking import Question
from mainspring_schema.hooks import HOOKS_MAX, Hook, flaws
from mainspring_schema.messages import Json

REF: Final = "toolset:"
"""A capability ref that begins so names a set; the calls of its tools are routed by it."""
SETTINGS: Final = "settings"
"""What an agent sets of a set, in the configuration of its ref: the set's own schema says what."""
READING: Final = "toolset_outcomes"
"""What a worker of the house offers that reads what others brought; older ones do not."""
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_CAPABILITY: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_TOOL_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What every provider of models takes."""


class Brings(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a set brings along beside its tools: data, so that no prompt waits for its worker.

    `dependencies` are capabilities of the house. `facts` are lines a model may rely on. `mounts`
    are files of the workspace, `hooks` webhooks or scripts. `config_schema` is what an agent may
    set under `settings`, which calls are told. `description`, `features`, `risk_level` are shown.
    """

    description: str = ""
    features: tuple[str, ...] = ()
    risk_level: Literal["low", "medium", "high"] = "medium"
    dependencies: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    mounts: tuple[InitialFile, ...] = ()
    hooks: tuple[Hook, ...] = ()
    config_schema: Json | None = None


class Toolset(Struct, frozen=True, kw_only=True):
    """A set as a worker announces it. A model reads the `instructions` beside the tools."""

    name: str
    tools: tuple[ToolDefinition, ...]
    instructions: str = ""
    brings: Brings = Brings()

    @property
    def ref(self) -> str:
        """The capability by which an agent has it."""
        return f"{REF}{self.name}"


class Toolsets(Struct, frozen=True, kw_only=True):
    """Sets as they were announced last, in the order of their names."""

    toolsets: tuple[Toolset, ...]


class ListToolsets(Question[Toolsets], frozen=True, kw_only=True, tag="list_toolsets"):
    """Those of the names that were ever announced; without names all, up to a bound."""

    names: tuple[str, ...] = ()


def name_of(ref: str) -> str | None:
    """Which set a capability ref names; None where it is no such ref, or names none."""
    name = ref.removeprefix(REF)
    return name if ref.startswith(REF) and _NAME.fullmatch(name) else None


def capability_of(ref: str, tool: str) -> str:
    """What a worker must offer to be given calls of one tool.

    Of the tool and not of its set: while two versions of a worker are there, a new tool's calls go
    to those that have it.
    """
    return f"{ref}/{tool}"


def check(toolset: Toolset) -> bytes:
    """The set as it is kept. Raises ValidationFailed for one that no agent can be given."""
    if _NAME.fullmatch(toolset.name) is None:
        _refuse(f"a toolset is not named {toolset.name[:80]!r}: small letters, digits, - and _")
    if len(toolset.tools) > TOOLSET_TOOLS_MAX:
        _refuse(f"the toolset {toolset.name} has more than {TOOLSET_TOOLS_MAX} tools")
    names = {tool.name for tool in toolset.tools}
    if len(names) < len(toolset.tools):
        _refuse(f"two tools of the toolset {toolset.name} have one name")
    for name in names:
        if _TOOL_NAME.fullmatch(name) is None:
            _refuse(f"no tool can be named {name[:80]!r}: letters, digits, - and _, at most 64")
    for problem in _problems(toolset.brings):
        _refuse(f"the toolset {toolset.name}: {problem}")
    body = msgspec.msgpack.encode(toolset)
    if len(body) > TOOLSET_BYTES_MAX:
        _refuse(f"the toolset {toolset.name} has {len(body)} bytes, at most {TOOLSET_BYTES_MAX}")
    return body


def _problems(brings: Brings) -> Iterator[str]:
    for member in ("features", "dependencies", "facts"):
        if len(cast("tuple[str, ...]", getattr(brings, member))) > TOOLSET_NEEDS_MAX:
            yield f"it has more than {TOOLSET_NEEDS_MAX} {member}"
    for name in brings.dependencies:
        if _CAPABILITY.fullmatch(name) is None:
            yield f"it cannot depend on {name[:80]!r}: only on capabilities of the house"
    yield from mounts.problems(brings.mounts)
    if len(brings.hooks) > HOOKS_MAX:
        yield f"it has more than {HOOKS_MAX} hooks"
    for hook in brings.hooks:
        if hook.type == "function":
            yield "a hook that is announced is a webhook or a command"
        yield from flaws(hook)


def read(body: bytes) -> Toolset:
    """As `check` made it. Raises ValidationFailed for anything else."""
    try:
        toolset = _DECODER.decode(body)
    except msgspec.DecodeError as error:
        raise ValidationFailed(str(error)) from error
    check(toolset)
    return toolset


def _refuse(detail: str) -> None:
    raise ValidationFailed(detail)


_DECODER: Final = msgspec.msgpack.Decoder(Toolset)
