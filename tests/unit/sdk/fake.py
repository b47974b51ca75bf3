"""An engine that records what it is given, and the step that tests call."""

import asyncio
from collections.abc import Sequence

import msgspec

from mainspring import (
    step,
)
from mainspring.definitions import Workflow
from mainspring.going import Go
from mainspring_kernel.draws import SeededDraws
from mainspring_schema.tasks import WorkflowResult
from mainspring_schema.workflows import StepRecord, Wait

CALLS: list[object] = []


class Lost(Exception):
    pass


class FakeEngine:
    """Records what it is given, as long as it holds the task."""

    def __init__(self, *arguments: object) -> None:
        raw = msgspec.json.encode(arguments)
        self.records = {"0": StepRecord(step="0", name="it", kind="input", result=raw)}
        self.frames: list[tuple[StepRecord, ...]] = []
        self.waits: list[Wait] = []
        self.armed = asyncio.Event()
        self.lost = False
        self.saved = asyncio.Event()

    async def checkpoint(self, steps: tuple[StepRecord, ...], waits: tuple[Wait, ...]) -> None:
        if self.lost:
            raise Lost
        await asyncio.sleep(0)
        if steps:
            self.frames.append(steps)
            self.saved.set()
        self.keep(steps)
        self.waits += waits
        if waits:
            self.armed.set()

    def keep(self, steps: Sequence[StepRecord]) -> None:
        for one in steps:
            assert one.step not in self.records, "a step is recorded once"
            self.records[one.step] = one

    async def recorded(self, places: tuple[str, ...]) -> dict[str, StepRecord]:
        return dict(self.records)

    def go(self, it: "Workflow[..., object]") -> Go:
        return Go(it, dict(self.records), self, draws=SeededDraws(1))

    async def run(self, it: "Workflow[..., object]") -> WorkflowResult:
        result = await self.go(it).run()
        self.keep(result.steps)
        return result

    def names(self) -> dict[str, str]:
        return {place: one.name for place, one in self.records.items() if place != "0"}


@step
async def double(x: int) -> int:
    CALLS.append(x)
    return 2 * x
