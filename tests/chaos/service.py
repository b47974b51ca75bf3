"""`python service.py api|worker`: a service of the stack with tools that change a world outside.

What they change stands in the ledger MAINSPRING_CHAOS/ledger. A call may kill its worker between
its effect and its report. While MAINSPRING_CHAOS/storm is there, half of all model calls fail.
"""

import asyncio
import importlib
import os
import random
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Iterable
from pathlib import Path
from typing import Final, cast

from mainspring_harness import builtin
from mainspring_harness.capability import Capability, Info
from mainspring_harness.registry import Registry
from mainspring_schema.agents import EffectClass, ToolDefinition, ToolHints
from mainspring_schema.messages import Json
from mainspring_worker.adapters.builtin_tools import shelf
from mainspring_worker.adapters.builtin_tools.function import FunctionTool
from mainspring_worker.adapters.models.llmsim.driver import LlmSim
from mainspring_worker.ports.failures import Kind, failure
from mainspring_worker.ports.model import ModelItem, ModelRequest, TextDelta
from mainspring_worker.ports.tool import ToolContext, ToolOutcome
from tests.chaos.ledger import Ledger, Line

CAPABILITY: Final = "chaos_world"
KILLING_STEPS: Final = 0.01
"""They end their worker between their mark and its report."""
CLASSES: Final[dict[str, EffectClass]] = {
    "look_around": "pure",
    "set_lamp": "idempotent",
    "send_letter": "at_most_once",
    "pay_bill": "verifiable",
}
PARAMETERS: Final[Json] = {
    "type": "object",
    "properties": {
        "token": {"type": "string"},
        "before_ms": {"type": "integer"},
        "after_ms": {"type": "integer"},
        "kills": {"type": "boolean"},
    },
    "required": ["token"],
}


def definitions(_config: Json) -> tuple[ToolDefinition, ...]:
    return tuple(
        ToolDefinition(
            name=name,
            description="Changes the world outside.",
            parameters=PARAMETERS,
            hints=ToolHints(capability_id=CAPABILITY, capability_name="The world"),
            policy="auto",
            effect_class=effect,
            probed=effect == "verifiable",
        )
        for name, effect in CLASSES.items()
    )


WORLD: Final = Capability(
    info=Info(id=CAPABILITY, name="The world", description="Outside.", status="available"),
    tools=definitions,
)


def folder() -> Path:
    return Path(os.environ["MAINSPRING_CHAOS"])


def ledger() -> Ledger:
    return Ledger(folder() / "ledger")


async def call(tool: str, arguments: Json, context: ToolContext) -> ToolOutcome:
    token, key = str(arguments["token"]), context.idempotency_key
    await asyncio.sleep(cast("int", arguments.get("before_ms", 0)) / 1000)
    first = token not in {line.token for line in ledger().read()} if "kills" in arguments else False
    ledger().write(
        Line(
            what="applied", tool=tool, token=token, key=key, session=context.session_id.hex,
            pid=os.getpid(),
        )
    )  # fmt: skip
    if first:
        os.kill(os.getpid(), signal.SIGKILL)
    await asyncio.sleep(cast("int", arguments.get("after_ms", 0)) / 1000)
    return ToolOutcome(result={"done": token})


async def probe(arguments: Json, context: ToolContext) -> ToolOutcome:
    if context.idempotency_key in ledger().effect_keys():
        return ToolOutcome(result={"done": str(arguments["token"])})
    # A frozen worker may still be about to.
    return ToolOutcome(status="unknown", error="it may still be under way")


def everywhere(made: Callable[..., object], other: Callable[..., object]) -> None:
    """The other in its place, also where it was imported by its name already."""
    for module in list(sys.modules.values()):
        if getattr(module, made.__name__, None) is made:
            setattr(module, made.__name__, other)


def add_capability() -> None:
    made = builtin.builtin_registry

    def with_world(own: Iterable[Capability] = ()) -> Registry:
        return Registry([*made(own)._by_id.values(), WORLD])

    everywhere(made, with_world)


def tool(definition: ToolDefinition) -> FunctionTool:
    async def run(arguments: Json, context: ToolContext) -> ToolOutcome:
        return await call(definition.name, arguments, context)

    return FunctionTool(definition, CAPABILITY, run, prober=probe if definition.probed else None)


def add_tools() -> None:
    made = shelf.all_tools

    def with_world(registry: Registry) -> shelf.Shelf:
        return shelf.Shelf([*made(registry)._tools.values(), *map(tool, definitions({}))])

    everywhere(made, with_world)


def add_storms() -> None:
    """Each model call is noted; in a storm half of them are refused, or cut in the middle."""
    stream = LlmSim.stream

    async def stormy(self: LlmSim, request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        hit = (folder() / "storm").exists() and random.random() < 0.5
        if hit and random.random() < 0.5:
            raise failure(Kind.OVERLOADED, "a storm")
        turn = f"{request.turn_id.hex}/{request.iteration}"
        ledger().write(Line(what="model", tool="model", token=turn, key=str(request.attempt)))
        async for item in stream(self, request):
            yield item
            if hit and isinstance(item, TextDelta):
                raise failure(Kind.CONNECTION_FAILED, "the stream was cut")

    LlmSim.stream = stormy


if __name__ == "__main__":
    service = importlib.import_module(f"mainspring_{sys.argv[1]}.main")
    add_capability()
    if sys.argv[1] == "worker":
        add_tools()
        add_storms()
    sys.exit(cast("Callable[[], int]", service.main)())
