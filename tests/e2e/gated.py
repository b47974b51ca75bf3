"""`python gated.py api|worker`: a service of the stack whose tools wait at a gate, kill, or print.

A call writes a line to `<gate>.entered` in the folder MAINSPRING_GATES, the ledger of what took
effect outside. Then it waits until `<gate>.open` is there, or kills its worker where that is what
it is for. So a test can act in the middle of a tool call, and count afterwards how often it began.
"""

import asyncio
import importlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

from mainspring_harness import builtin
from mainspring_harness.capability import Capability, Info
from mainspring_harness.registry import Registry
from mainspring_schema.agents import EffectClass, ToolDefinition, ToolHints
from mainspring_schema.messages import Json
from mainspring_worker.adapters.builtin_tools import shelf
from mainspring_worker.adapters.builtin_tools.function import FunctionTool
from mainspring_worker.ports.tool import ToolContext, ToolOutcome

LOOK_S = 0.01
PRINTED_BYTES = 1_000_000
CAPABILITY_ID = "test_gates"
TOOLS: dict[str, EffectClass] = {
    "pass_gate": "pure",
    "pass_gate_once": "at_most_once",
    "kill_worker": "pure",
    "print_much": "pure",
}


def definition(name: str) -> ToolDefinition:
    return ToolDefinition(
        name=name,
        description="Waits at a gate.",
        parameters={
            "type": "object",
            "properties": {"gate": {"type": "string"}},
            "required": ["gate"],
        },
        hints=ToolHints(
            long_running=name.startswith("pass"),  # what kills comes before anything else
            capability_id=CAPABILITY_ID,
            capability_name="Test gates",
        ),
        policy="auto",
        effect_class=TOOLS[name],
    )


def tools(_config: Json) -> tuple[ToolDefinition, ...]:
    return tuple(definition(name) for name in TOOLS)


GATES = Capability(
    info=Info(
        id=CAPABILITY_ID, name="Test gates", description="Tools that wait.", status="available"
    ),
    tools=tools,
)


def add_capability() -> None:
    made = builtin.builtin_registry

    def with_gates() -> Registry:
        return Registry([*made()._by_id.values(), GATES])

    builtin.builtin_registry = with_gates


def enter(arguments: Json) -> tuple[Path, str]:
    folder, gate = Path(os.environ["MAINSPRING_GATES"]), str(arguments["gate"])
    with (folder / f"{gate}.entered").open("a") as ledger:
        ledger.write(f"{os.getpid()}\n")
    return folder, gate


async def kill_worker(arguments: Json, _context: ToolContext) -> ToolOutcome:
    enter(arguments)
    os.kill(os.getpid(), signal.SIGKILL)
    return ToolOutcome(error="unreachable", status="error")


async def print_much(arguments: Json, _context: ToolContext) -> ToolOutcome:
    gate = str(arguments["gate"])
    return ToolOutcome(result=f"{gate} " * (PRINTED_BYTES // (len(gate) + 1)))


async def pass_gate(arguments: Json, _context: ToolContext) -> ToolOutcome:
    folder, gate = enter(arguments)
    while not (folder / f"{gate}.open").exists():  # noqa: ASYNC110 -- another process opens it
        await asyncio.sleep(LOOK_S)
    return ToolOutcome(result={"passed": gate})


def add_tools() -> None:
    made = shelf.builtin_tools

    def with_gates() -> shelf.Shelf:
        functions = {"kill_worker": kill_worker, "print_much": print_much}
        gates = (
            FunctionTool(definition(name), CAPABILITY_ID, functions.get(name, pass_gate))
            for name in TOOLS
        )
        return shelf.Shelf([*made()._tools.values(), *gates])

    shelf.builtin_tools = with_gates


if __name__ == "__main__":
    add_capability()
    if sys.argv[1] == "worker":
        add_tools()
    service = importlib.import_module(f"mainspring_{sys.argv[1]}.main")
    sys.exit(cast("Callable[[], int]", service.main)())
