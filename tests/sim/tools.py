"""Tools of all four effect classes, and the world outside that they change.

The world keeps a ledger of its own: a crash takes back nothing of it.
"""

import asyncio
from collections import Counter, defaultdict
from random import Random
from typing import Final

from mainspring_harness.builtin import (
    background_execution,
    builtin_registry,
    session_tasks,
    subagents,
)
from mainspring_harness.capability import Capability, Info
from mainspring_harness.registry import Registry
from mainspring_schema.agents import EffectClass, ToolDefinition, ToolHints
from mainspring_schema.messages import Json
from mainspring_worker.adapters.builtin_tools.function import FunctionTool
from mainspring_worker.adapters.builtin_tools.shelf import Shelf
from mainspring_worker.ports.tool import Tool, ToolBox, ToolContext, ToolOutcome
from tests.sim.loop import POISON, collapse

CAPABILITY: Final = "sim_world"
CLASSES: Final[dict[str, EffectClass]] = {
    "look": "pure",
    "set_lamp": "idempotent",
    "send_letter": "at_most_once",
    "pay_bill": "verifiable",
}
THEIRS: Final = ("their_bill", "their_lamp", "their_letter", "their_look")
"""Those that users announce."""
CLIENTS: Final = ("read_dial",)
"""Calls that a client makes by itself."""
SPAWNING: Final = (subagents.ID, session_tasks.ID, background_execution.ID)


class Outside:
    """What took effect, by the call's key."""

    def __init__(self, draws: Random, work_s: float) -> None:
        self.draws = draws
        self._work_s = work_s
        self.applied: dict[str, Counter[str]] = defaultdict(Counter)
        self.applied |= {name: Counter() for name in CLASSES}

    async def call(self, name: str, context: ToolContext) -> ToolOutcome:
        await self.apply(name, context.idempotency_key)
        return ToolOutcome(result={"done": name})

    async def apply(self, name: str, key: str) -> None:
        """It takes its time, before and behind."""
        await asyncio.sleep(self._work_s * self.draws.random() ** 3)
        if name == POISON:
            await collapse()
        self.applied[name][key] += 1
        await asyncio.sleep(self._work_s * self.draws.random() ** 3)

    async def probe(self, name: str, context: ToolContext) -> ToolOutcome:
        await context.clock.sleep(0.01)
        if self.applied[name][context.idempotency_key]:
            return ToolOutcome(result={"done": name})
        return ToolOutcome(status="unknown", error="it may still be under way")


class InLine:
    """Runs tools on the one loop there is."""

    async def call(self, tool: Tool, arguments: Json, context: ToolContext) -> ToolOutcome:
        return await tool.call(arguments, context)

    async def probe(self, tool: Tool, arguments: Json, context: ToolContext) -> ToolOutcome:
        return await tool.probe(arguments, context)


def _definition(name: str, effect: EffectClass) -> ToolDefinition:
    return ToolDefinition(
        name=name,
        description="Changes the simulated world.",
        parameters={"type": "object", "properties": {"n": {"type": "integer"}}},
        hints=ToolHints(capability_id=CAPABILITY, capability_name="The world"),
        policy="auto",
        effect_class=effect,
        probed=effect == "verifiable",
    )


def _definitions(_config: Json) -> tuple[ToolDefinition, ...]:
    classes: dict[str, EffectClass] = {**CLASSES, POISON: "pure"}
    clients = (ToolDefinition(name=name, kind="client_side") for name in CLIENTS)
    return (*(_definition(name, effect) for name, effect in classes.items()), *clients)


_WORLD: Final = Capability(
    info=Info(id=CAPABILITY, name="The world", description="Simulated.", status="available"),
    tools=_definitions,
)


def registry() -> Registry:
    """With what every installation has, for the sake of the worker's identity."""
    builtin = builtin_registry()
    return Registry([*(builtin.find(entry.info.id) for entry in builtin.catalogue()), _WORLD])


def shelf(outside: Outside) -> Shelf:
    """The same world for every worker."""

    def tool(definition: ToolDefinition) -> FunctionTool:
        name = definition.name

        async def call(_arguments: Json, context: ToolContext) -> ToolOutcome:
            return await outside.call(name, context)

        async def probe(_arguments: Json, context: ToolContext) -> ToolOutcome:
            return await outside.probe(name, context)

        return FunctionTool(definition, CAPABILITY, call, probe if definition.probed else None)

    ours = (one for one in _definitions({}) if one.kind != "client_side")
    return Shelf(tool(definition) for definition in ours)


class Shelves:
    """The first of them that has it."""

    def __init__(self, *shelves: ToolBox) -> None:
        self._shelves = shelves

    def find(self, name: str, capability_id: str | None) -> Tool | None:
        found = (shelf.find(name, capability_id) for shelf in self._shelves)
        return next((tool for tool in found if tool is not None), None)
