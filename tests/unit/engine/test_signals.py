"""A signal that comes again: it is known by its id for as long as its workflow is."""

from uuid import UUID

import msgspec
import pytest

from mainspring_engine.adapters.memory.workflows import MemoryWorkflows
from mainspring_engine.domain.limits import WORKFLOW_SIGNALS_BYTES_MAX
from mainspring_engine.main import Engine
from mainspring_kernel.errors import IdempotencyMismatch, TooManyRequests, WorkflowEnded
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_kernel.limits import WORKFLOW_VALUE_BYTES_MAX
from mainspring_messaging import MemoryBus
from mainspring_schema.codec import to_json
from mainspring_schema.declarations import (
    Declaration,
    DeclaredStep,
    DeclaredWait,
    ListOf,
    OfStep,
)
from mainspring_schema.workflows import (
    CancelWorkflow,
    GetWorkflow,
    SignalWorkflow,
    StartWorkflow,
    WorkflowView,
)
from tests.unit.engine.whole import IDS, whole_engine


async def signalled(engine: Engine) -> SignalWorkflow:
    """What a workflow that waits for a worker was sent."""
    workflow_id = IDS.uuid7()
    await engine.workflows.start(
        StartWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=workflow_id, type="order", input=b"[]")
    )
    signal = SignalWorkflow(
        org_id=DEFAULT_ORG_ID, workflow_id=workflow_id, signal_id=IDS.uuid7(), name="go",
        payload=b"7",
    )  # fmt: skip
    assert not (await engine.workflows.signal(signal)).duplicate
    return signal


async def end(engine: Engine, signal: SignalWorkflow) -> None:
    cancel = CancelWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=signal.workflow_id)
    assert (await engine.workflows.cancel(cancel)).status == "cancelled"


@pytest.mark.parametrize("ended", [False, True])
async def test_a_repeat_is_answered_as_one_also_once_its_workflow_has_ended(ended: bool) -> None:
    async with whole_engine(MemoryBus()) as engine:
        signal = await signalled(engine)
        if ended:
            await end(engine, signal)

        assert (await engine.workflows.signal(signal)).duplicate


@pytest.mark.parametrize("ended", [False, True])
async def test_an_id_that_comes_with_another_payload_is_refused(ended: bool) -> None:
    async with whole_engine(MemoryBus()) as engine:
        signal = await signalled(engine)
        if ended:
            await end(engine, signal)

        with pytest.raises(IdempotencyMismatch):
            await engine.workflows.signal(msgspec.structs.replace(signal, payload=b"8"))


async def test_a_signal_that_comes_late_for_the_first_time_is_refused() -> None:
    async with whole_engine(MemoryBus()) as engine:
        signal = await signalled(engine)
        await end(engine, signal)

        for late in ({"signal_id": IDS.uuid7()}, {"name": "hurry"}):
            with pytest.raises(WorkflowEnded):
                await engine.workflows.signal(msgspec.structs.replace(signal, **late))


GO = DeclaredStep(step="go", arguments=ListOf(items=()), wait=DeclaredWait(kind="signal"))
PART = DeclaredStep(
    step="part", arguments=ListOf(items=()), after=(1,), wait=DeclaredWait(kind="signal")
)
GATHERS = to_json(Declaration(steps=(GO, PART, PART, PART), result=OfStep(step=4)))
"""Waits for three parts, but for the word to go first: until then they lie there."""


class Heard:
    """A gatherer whose reads of what long signals say are counted."""

    def __init__(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        self._engine = engine
        self.id = IDS.uuid7()
        self.reads: list[int] = []
        said = MemoryWorkflows.said

        async def counted(
            rows: MemoryWorkflows, session_id: UUID, signals: tuple[tuple[UUID, str], ...]
        ) -> dict[tuple[UUID, str], bytes]:
            self.reads.append(len(signals))
            return await said(rows, session_id, signals)

        monkeypatch.setattr(MemoryWorkflows, "said", counted)

    async def start(self) -> None:
        await self._engine.workflows.start(
            StartWorkflow(
                org_id=DEFAULT_ORG_ID, workflow_id=self.id, type="gather", input=b"[]",
                declaration=GATHERS,
            )
        )  # fmt: skip

    async def signal(self, name: str, payload: bytes = b"1") -> None:
        await self._engine.workflows.signal(
            SignalWorkflow(
                org_id=DEFAULT_ORG_ID, workflow_id=self.id, signal_id=IDS.uuid7(), name=name,
                payload=payload,
            )
        )  # fmt: skip

    async def view(self) -> WorkflowView:
        return await self._engine.workflows.get(
            GetWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=self.id)
        )


async def test_what_long_signals_say_is_read_when_they_are_taken_and_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with whole_engine(MemoryBus()) as engine:
        heard = Heard(engine, monkeypatch)
        await heard.start()
        parts = [b'"%d%s"' % (number, b"a" * 300_000) for number in range(3)]
        for part in parts:
            await heard.signal("part", part)
        assert heard.reads == []

        await heard.signal("go")

        assert heard.reads == [3]
        assert (await heard.view()).result == parts[2]


async def test_signals_that_lie_there_are_bounded_by_their_bytes_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with whole_engine(MemoryBus()) as engine:
        heard = Heard(engine, monkeypatch)
        await heard.start()
        large = b'"%s"' % (b"a" * (WORKFLOW_VALUE_BYTES_MAX - 2))
        for _ in range(WORKFLOW_SIGNALS_BYTES_MAX // len(large)):
            await heard.signal("part", large)

        with pytest.raises(TooManyRequests, match="wait for this workflow"):
            await heard.signal("part")
        await heard.signal("go")

        assert (await heard.view()).status == "completed"
