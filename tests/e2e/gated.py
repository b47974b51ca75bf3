"""`python gated.py api|worker`: a service of the stack whose tools wait at a gate, kill, or print.

One of them can tell afterwards what became of a call: it leaves `<gate>.applied` outside. And
`web_fetch` and webhooks reach the sites of tests, whose names end in `.test`, on this machine.

A call writes a line to `<gate>.entered` in the folder MAINSPRING_GATES, the ledger of what took
effect outside. Then it waits until `<gate>.open` is there, or kills its worker where that is what
it is for. A call that is told to stop writes to `<gate>.stopped`, and one kind of them goes on
nevertheless. So a test can act in the middle of a tool call, and count afterwards how often it
began.
"""

import asyncio
import contextlib
import importlib
import ipaddress
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import cast

from mainspring_harness import builtin, own
from mainspring_harness.builtin.web_fetch import WEB_FETCH
from mainspring_harness.capability import Capability, Info
from mainspring_harness.registry import Registry
from mainspring_schema.agents import EffectClass, ToolDefinition, ToolHints
from mainspring_schema.messages import Json
from mainspring_worker.adapters import hooks
from mainspring_worker.adapters.builtin_tools import shelf
from mainspring_worker.adapters.builtin_tools.function import FunctionTool
from mainspring_worker.adapters.builtin_tools.web.connecting import Connector, system_resolve
from mainspring_worker.adapters.builtin_tools.web.fetching import Fetcher
from mainspring_worker.adapters.builtin_tools.web.tool import web_fetch
from mainspring_worker.domain.addresses import Address, is_public
from mainspring_worker.ports.tool import ToolContext, ToolOutcome

LOOK_S = 0.01
HERE = "127.0.0.1"
PRINTED_BYTES = 1_000_000
CAPABILITY_ID = "test_gates"
TOOLS: dict[str, EffectClass] = {
    "pass_gate": "pure",
    "pass_gate_once": "at_most_once",
    "pass_gate_stubbornly": "pure",
    "kill_worker": "pure",
    "print_much": "pure",
    "pass_gate_verified": "verifiable",
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
        probed=TOOLS[name] == "verifiable",
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

    def with_gates(beside: Iterable[Capability] = ()) -> Registry:
        return Registry([*made(beside)._by_id.values(), GATES])

    builtin.builtin_registry = with_gates
    own.__dict__["builtin_registry"] = with_gates  # which has it by its name


class Gate:
    """What a call may do at its gate, for a test to see from outside."""

    def __init__(self, arguments: Json) -> None:
        self.name = str(arguments["gate"])
        self._folder = Path(os.environ["MAINSPRING_GATES"])

    def note(self, what: str) -> None:
        with (self._folder / f"{self.name}.{what}").open("a") as ledger:
            ledger.write(f"{os.getpid()}\n")

    async def wait(self) -> None:
        try:
            while not (self._folder / f"{self.name}.open").exists():  # noqa: ASYNC110 -- another process opens it
                await asyncio.sleep(LOOK_S)
        except asyncio.CancelledError:
            self.note("stopped")
            raise


async def kill_worker(arguments: Json, _context: ToolContext) -> ToolOutcome:
    Gate(arguments).note("entered")
    os.kill(os.getpid(), signal.SIGKILL)
    return ToolOutcome(error="unreachable", status="error")


async def print_much(arguments: Json, _context: ToolContext) -> ToolOutcome:
    gate = str(arguments["gate"])
    return ToolOutcome(result=f"{gate} " * (PRINTED_BYTES // (len(gate) + 1)))


async def pass_gate(arguments: Json, _context: ToolContext) -> ToolOutcome:
    gate = Gate(arguments)
    gate.note("entered")
    await gate.wait()
    return ToolOutcome(result={"passed": gate.name})


async def pass_gate_stubbornly(arguments: Json, _context: ToolContext) -> ToolOutcome:
    """Does not let itself be stopped, as a tool may that holds something half done."""
    gate = Gate(arguments)
    gate.note("entered")
    with contextlib.suppress(asyncio.CancelledError):
        await gate.wait()
    await gate.wait()
    gate.note("passed")
    return ToolOutcome(result={"passed": gate.name})


async def pass_gate_verified(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Takes effect before it waits, but for a gate whose name says otherwise."""
    folder, gate = Path(os.environ["MAINSPRING_GATES"]), str(arguments["gate"])
    if "never" not in gate:
        (folder / f"{gate}.applied").write_text(context.idempotency_key)
    return await pass_gate(arguments, context)


async def probe_gate(arguments: Json, context: ToolContext) -> ToolOutcome:
    applied = Path(os.environ["MAINSPRING_GATES"]) / f"{arguments['gate']}.applied"
    if not applied.exists():
        return ToolOutcome(status="error", error="the gate was never passed")
    return ToolOutcome(result={"found": applied.read_text() == context.idempotency_key})


FUNCTIONS = {
    "kill_worker": kill_worker,
    "pass_gate_stubbornly": pass_gate_stubbornly,
    "pass_gate_verified": pass_gate_verified,
    "print_much": print_much,
}


async def resolve(host: str, port: int) -> Sequence[str]:
    return (HERE,) if host.endswith(".test") else await system_resolve(host, port)


def is_allowed(address: Address) -> bool:
    return is_public(address) or address == ipaddress.ip_address(HERE)


def fetcher() -> Fetcher:
    """What the built-in one is, with a way to this machine."""
    return Fetcher(Connector(resolve=resolve, is_allowed=is_allowed))


def web() -> FunctionTool:
    (fetches,) = WEB_FETCH.tools({})
    return FunctionTool(fetches, WEB_FETCH.info.id, web_fetch(fetcher()))


def open_hooks() -> None:
    hooks.__dict__["UserHooks"] = partial(hooks.UserHooks, fetcher())


def add_tools() -> None:
    made = shelf.all_tools

    def with_gates(registry: Registry) -> shelf.Shelf:
        gates = (
            FunctionTool(
                definition(name),
                CAPABILITY_ID,
                FUNCTIONS.get(name, pass_gate),
                prober=probe_gate if definition(name).probed else None,
            )
            for name in TOOLS
        )
        return shelf.Shelf([*made(registry)._tools.values(), *gates, web()])

    shelf.all_tools = with_gates


if __name__ == "__main__":
    add_capability()
    if sys.argv[1] == "worker":
        add_tools()
        open_hooks()
    service = importlib.import_module(f"mainspring_{sys.argv[1]}.main")
    sys.exit(cast("Callable[[], int]", service.main)())
