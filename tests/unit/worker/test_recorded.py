"""A page of recorded steps that nobody sends is asked for again."""

import asyncio

import pytest

from mainspring_kernel.clock import SystemClock
from mainspring_schema.frames import History, HistoryWanted, ToWorker
from mainspring_schema.tasks import WorkflowTask
from mainspring_workstream import attempt as attempt_module
from mainspring_workstream.actions import Recorded
from mainspring_workstream.attempt import Attempt
from tests.unit.worker.fake_engine import WAIT_S
from tests.unit.worker.making import TURN, attached_core, held, task


async def test_page_that_an_engine_without_its_database_owes_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attempt_module, "HISTORY_AGAIN_S", 0.0)
    core = attached_core()
    core.receive(ToWorker(tasks=(task(held(1)),)), 0.0)
    payload = WorkflowTask(workflow_id=TURN, workflow_type="trip", key="k")
    asked: asyncio.Queue[tuple[HistoryWanted, ...]] = asyncio.Queue()

    def wake() -> None:
        frame = core.take(0.0)
        if frame is not None and frame.histories_wanted:
            asked.put_nowait(frame.histories_wanted)

    attempt = Attempt(task(held(1)), payload, core=core, clock=SystemClock(), wake=wake)
    async with asyncio.timeout(WAIT_S):
        reading = asyncio.create_task(attempt.recorded("3"))
        first, again = await asked.get(), await asked.get()
        page = History(held=held(1), steps=(), after="3")
        for action in core.receive(ToWorker(histories=(page,)), 0.0):
            assert isinstance(action, Recorded)
            attempt.history_came(action.history)

        assert await reading == page
        assert first == again == (HistoryWanted(held=held(1), after="3"),)
