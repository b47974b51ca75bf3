"""Calls built-in tools as a worker does, over the very files that api keeps."""

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import cast
from uuid import UUID

from mainspring_harness.arguments import problems
from mainspring_harness.builtin import builtin_registry
from mainspring_kernel.clock import Clock, SystemClock
from mainspring_kernel.draws import SeededDraws
from mainspring_local.dev.roads import DirectResources
from mainspring_schema.messages import Json
from mainspring_worker.adapters.builtin_tools.shelf import all_tools
from mainspring_worker.adapters.tool_thread import ToolThread
from mainspring_worker.ports.resources import Resources
from mainspring_worker.ports.tool import ToolContext, ToolOutcome
from mainspring_worker.usecases.holding import Holdings
from tests.contract.worker.test_worker_files import HELD, api_store, keeper_of

CLOCK = SystemClock()


async def api_resources() -> Resources:
    """Of a session whose task is held."""
    return DirectResources(keeper_of(await api_store()), CLOCK)


@dataclass
class Caller:
    """One session; each call is one of its own, unless `attempt_of` repeats an earlier one."""

    resources: Resources
    threads: ToolThread
    clock: Clock = CLOCK
    told: list[str] = field(default_factory=list)
    calls: int = 0

    def call(
        self, capability: str, name: str, arguments: Json, *, attempt_of: int = 0
    ) -> Awaitable[ToolOutcome]:
        tool = all_tools(builtin_registry()).find(name, capability)
        assert tool is not None
        assert problems(name, tool.definition.parameters, arguments) == ()
        if not attempt_of:
            self.calls += 1
        return self.threads.call(tool, arguments, self.context(attempt_of or self.calls))

    async def result(self, capability: str, name: str, /, **arguments: object) -> Json:
        """What the model sees of a call that went well."""
        outcome = await self.call(capability, name, arguments)
        assert (outcome.status, outcome.error) == ("success", None), outcome
        return cast("Json", outcome.result)

    async def refusal(self, capability: str, name: str, /, **arguments: object) -> str:
        """What the model is told to do better."""
        outcome = await self.call(capability, name, arguments)
        assert outcome.status == "error"
        return outcome.error or ""

    def holdings(self) -> Holdings:
        return Holdings(self.resources, clock=self.clock, draws=SeededDraws(1))

    def context(self, number: int = 0) -> ToolContext:
        async def progress(message: str) -> None:
            self.told.append(message)

        return ToolContext(
            org_id=UUID(int=1),
            session_id=UUID(int=2),
            turn_id=UUID(int=3),
            call_id=f"call_{number}",
            idempotency_key=f"key_{number}",
            deadline_mono=self.clock.mono() + 60,
            clock=self.clock,
            progress=progress,
            resources=self.holdings().of(HELD, f"key_{number}"),
        )
