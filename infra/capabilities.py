"""Prints docs/capabilities.md from the registry, so that the page cannot say anything else."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import msgspec

from mainspring_harness.builtin import builtin_registry
from mainspring_harness.capability import CatalogueEntry
from mainspring_schema.agents import ToolDefinition
from mainspring_schema.messages import Json

HEAD = """\
# Capabilities

What an agent can be given by name: `{"ref": "<id>", "config": {…}}` in the `capabilities` of a
harness, an agent or a session. `GET /v1/capabilities` answers with the same, and with every schema.
This page is made from the registry by `./task gen capabilities`.

The effect of a tool says what a crash may do to a call: `pure` and `idempotent` ones run again (the
latter with the same key, so that they take effect once), `at_most_once` ones never, and their
outcome is then told as unknown.
"""


def main() -> int:
    sys.stdout.write("\n".join(page()) + "\n")
    return 0


def page() -> Iterator[str]:
    entries = builtin_registry().catalogue()
    yield HEAD
    yield "| capability | category | risk | features | tools |"
    yield "|---|---|---|---|---|"
    yield from (row(entry) for entry in entries)
    for entry in entries:
        yield from section(entry)


def row(entry: CatalogueEntry) -> str:
    info = entry.info
    tools = ", ".join(f"`{tool.name}`" for tool in entry.tool_definitions)
    cells = (f"`{info.id}`", info.category, info.risk_level, ", ".join(info.features), tools)
    return f"| {' | '.join(cell or '-' for cell in cells)} |"


def section(entry: CatalogueEntry) -> Iterator[str]:
    info = entry.info
    yield f"\n## {info.name} (`{info.id}`)\n"
    yield info.description
    if info.aliases:
        yield f"Also called {', '.join(f'`{alias}`' for alias in info.aliases)}."
    if info.dependencies:
        yield f"Brings along {', '.join(f'`{one}`' for one in info.dependencies)}."
    if info.config_schema is not None:
        yield "\n| configuration | type | |"
        yield "|---|---|---|"
        yield from (setting(name, schema) for name, schema in properties(info.config_schema))
    if entry.tool_definitions:
        yield "\n| tool | effect | arguments | |"
        yield "|---|---|---|---|"
        yield from (tool_row(tool) for tool in entry.tool_definitions)


def setting(name: str, schema: Json) -> str:
    return f"| `{name}` | {schema.get('type', 'any')} | {schema.get('description', '')} |"


def tool_row(tool: ToolDefinition) -> str:
    required = msgspec.convert(tool.parameters.get("required", []), list[str])
    names = (
        f"`{name}`" if name in required else f"`{name}`?" for name, _ in properties(tool.parameters)
    )
    listed = ", ".join(names) or "-"
    return f"| `{tool.name}` | {tool.effect_class} | {listed} | {tool.description} |"


def properties(schema: Json) -> Iterator[tuple[str, Json]]:
    found = msgspec.convert(schema.get("properties", {}), dict[str, Json])
    yield from found.items()


if __name__ == "__main__":
    sys.exit(main())
