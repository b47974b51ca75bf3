"""What can be said of an agent before anybody talks to it: findings, each with what to do."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, Literal, cast

from msgspec import Struct, field

from mainspring_api.domain.mcp import carried_out_here
from mainspring_harness.arguments import check_schema
from mainspring_harness.errors import InvalidMcpServer, InvalidToolSchema
from mainspring_harness.mcp import server_of
from mainspring_harness.registry import Registry
from mainspring_kernel.errors import MainspringError
from mainspring_schema.agents import CapabilityRef, ToolDefinition
from mainspring_schema.messages import Json

Severity = Literal["error", "warning", "info"]
Category = Literal["prompt", "security", "tools", "capabilities", "mcp"]

LONG_PROMPT_CHARS: Final = 32_000
"""About 8,000 tokens: paid with every call of the model."""

_SECRET: Final = re.compile(
    r"\b(?:sk-[A-Za-z0-9_-]{16,}|AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{20,}|xox[abp]-[\w-]{10,}"
    r"|(?<![\w-])eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,})|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
"""A JWT begins where a word does: a long word would be read again from each `eyJ` in it."""
_PLACEHOLDER: Final = re.compile(
    r"\{\{[^{}\n]{0,80}\}\}|\bTODO\b|\bFIXME\b|lorem ipsum", re.IGNORECASE
)


class Analysed(Struct, frozen=True, kw_only=True):
    """An agent as somebody means to write it; it need not be one that could be stored."""

    system_prompt: str
    capabilities: tuple[CapabilityRef, ...] = ()
    tools: tuple[ToolDefinition, ...] = ()
    mcp_servers: Json = field(default_factory=dict)


class Finding(Struct, frozen=True, kw_only=True):
    """`start` and `end` are characters of the member `at`."""

    rule_id: str
    severity: Severity
    category: Category
    message: str
    fix: str | None = None
    at: str | None = None
    start: int | None = None
    end: int | None = None


def analyse(agent: Analysed, registry: Registry) -> tuple[Finding, ...]:
    """Errors first: an agent with one cannot be stored, or should not be."""
    found = [
        *_prompt(agent.system_prompt),
        *_capabilities(carried_out_here(agent.capabilities), registry),
        *_tools(agent, registry),
        *_servers(agent.mcp_servers),
    ]
    order: list[Severity] = ["error", "warning", "info"]
    return tuple(sorted(found, key=lambda one: order.index(one.severity)))


def _prompt(prompt: str) -> Iterator[Finding]:
    if not prompt.strip():
        yield Finding(
            rule_id="prompt.empty",
            severity="warning",
            category="prompt",
            message="The agent has no prompt of its own.",
            fix="Say what the agent is for.",
            at="system_prompt",
        )
    if len(prompt) > LONG_PROMPT_CHARS:
        yield Finding(
            rule_id="prompt.long",
            severity="warning",
            category="prompt",
            message=f"The prompt has {len(prompt)} characters, which every model call carries.",
            fix="Move what is seldom needed into files or skills.",
            at="system_prompt",
        )
    yield from _marks(prompt)


def _marks(prompt: str) -> Iterator[Finding]:
    """What stands in a prompt and should not."""
    for match in _SECRET.finditer(prompt):
        yield Finding(
            rule_id="prompt.secret",
            severity="error",
            category="security",
            message="The prompt holds what looks like a credential.",
            fix="Keep it as a secret; whatever stands in a prompt can be read back.",
            at="system_prompt",
            start=match.start(),
            end=match.end(),
        )
    for match in _PLACEHOLDER.finditer(prompt):
        yield Finding(
            rule_id="prompt.placeholder",
            severity="info",
            category="prompt",
            message=f"The prompt holds {match[0]!r}, which nobody fills in.",
            fix="Write what is meant.",
            at="system_prompt",
            start=match.start(),
            end=match.end(),
        )


def _capabilities(refs: Sequence[CapabilityRef], registry: Registry) -> Iterator[Finding]:
    for ref, count in Counter(one.ref for one in refs).items():
        if count > 1:
            yield Finding(
                rule_id="capability.repeated",
                severity="warning",
                category="capabilities",
                message=f"{ref!r} is named {count} times; the last one counts.",
                fix="Name it once.",
                at="capabilities",
            )
    sound = True
    for one in refs:
        try:
            registry.resolve([one])
        except MainspringError as error:
            sound = False
            yield _refused(f"capability.{error.code}", "capabilities", error)
    if sound:
        yield from _together(refs, registry)


def _together(refs: Sequence[CapabilityRef], registry: Registry) -> Iterator[Finding]:
    """What shows only where all capabilities are applied."""
    try:
        applied = registry.resolve(refs)
    except MainspringError as error:
        yield _refused(f"capability.{error.code}", "capabilities", error)
        return
    for one in applied:
        if one.capability.info.risk_level == "high":
            yield Finding(
                rule_id="capability.high_risk",
                severity="info",
                category="security",
                message=f"{one.id!r} can do harm outside of the session.",
                fix="Guard it by approvals.",
                at="capabilities",
            )


def _tools(agent: Analysed, registry: Registry) -> Iterator[Finding]:
    for name, count in Counter(tool.name for tool in agent.tools).items():
        if count > 1:
            yield Finding(
                rule_id="tool.repeated",
                severity="error",
                category="tools",
                message=f"{count} tools are named {name!r}.",
                fix="Give each a name of its own.",
                at="tools",
            )
    for tool in agent.tools:
        if not tool.description.strip():
            yield Finding(
                rule_id="tool.undescribed",
                severity="warning",
                category="tools",
                message=f"The model is not told what {tool.name!r} is for.",
                fix="Describe it.",
                at="tools",
            )
        try:
            check_schema(tool.name, tool.parameters)
        except InvalidToolSchema as error:
            yield _refused("tool.schema", "tools", error)
    yield from _shadowed(agent, registry)


def _shadowed(agent: Analysed, registry: Registry) -> Iterator[Finding]:
    try:
        applied = registry.resolve(carried_out_here(agent.capabilities))
    except MainspringError:
        return
    own = {tool.name for tool in agent.tools}
    for one in applied:
        for definition in one.capability.tools(one.config):
            if definition.name in own:
                yield Finding(
                    rule_id="tool.shadows",
                    severity="info",
                    category="tools",
                    message=f"{definition.name!r} of {one.id!r} is replaced by the agent's own.",
                    at="tools",
                )


def _servers(servers: Json) -> Iterator[Finding]:
    for name, server in servers.items():
        told = cast("Json", server) if isinstance(server, dict) else {}
        url, command = told.get("url"), told.get("command")
        if not isinstance(url, str) and not isinstance(command, str):
            yield Finding(
                rule_id="mcp.unreachable",
                severity="error",
                category="mcp",
                message=f"The MCP server {name!r} has neither url nor command.",
                fix="Say where it is.",
                at="mcpServers",
            )
            continue
        try:
            server_of(name, told)
        except InvalidMcpServer as error:
            yield _refused("mcp.invalid", "mcp", error)
        if isinstance(url, str) and not url.startswith("https://"):
            yield Finding(
                rule_id="mcp.plain_http",
                severity="warning",
                category="security",
                message=f"The MCP server {name!r} is called without TLS.",
                fix="Use an https URL.",
                at="mcpServers",
            )


def _refused(rule_id: str, category: Category, error: MainspringError) -> Finding:
    return Finding(
        rule_id=rule_id,
        severity="error",
        category=category,
        message=error.detail,
        fix="Correct it: an agent with it is refused.",
        at=category,
    )
