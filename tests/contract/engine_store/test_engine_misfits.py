"""Tasks that rest because no code fitted what is recorded: whoever comes may have such code."""

from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import Closing, TaskState
from mainspring_engine.domain.workflow.state import VERSION_CONFLICT
from mainspring_schema.frames import Held
from tests.contract.engine_store.engine_worlds import Session, Worker, close

LOOKS = 1000
DELAY_MS = 600_000
KIND = "workflow:report"


async def rested(session: Session, worker: Worker, queue: str, error_code: str) -> Held:
    """A task whose attempt ended so, and that is due much later."""
    route = Route(queue=queue, capability=KIND)
    task = session.task("workflow", claim=worker.claim, route=route)
    await session.start_turn(task)
    held = Held(task.id, 1)
    retry = close(held, closing=Closing.RETRIED, delay_ms=DELAY_MS, error_code=error_code)
    await session.commit(session.changes(closes=(retry,)))
    return held


async def state(session: Session) -> TaskState:
    (task,) = (await session.world.store.open_tasks((session.turn,)))[session.turn]
    return task.state


async def test_a_misfit_is_ready_when_a_worker_of_its_kind_comes(
    session: Session, worker: Worker, queue: str
) -> None:
    held = await rested(session, worker, queue, VERSION_CONFLICT)
    registry = session.world.backstage.registry

    tried = await registry.try_misfits(("x", queue), (KIND, "y"), looks=LOOKS)
    again = await registry.try_misfits((queue,), (KIND,), looks=LOOKS)

    assert (tried, again) == (1, 0)
    assert await state(session) is TaskState.READY
    (second,) = await worker.take(1, Route(queue=queue, capability=KIND))
    assert second.held == Held(held.task_id, 2)


async def test_workers_of_other_kinds_change_nothing(
    session: Session, worker: Worker, queue: str
) -> None:
    await rested(session, worker, queue, VERSION_CONFLICT)
    registry = session.world.backstage.registry

    for queues, capabilities in ((("other",), (KIND,)), ((queue,), ("workflow:other",))):
        assert await registry.try_misfits(queues, capabilities, looks=LOOKS) == 0

    assert await state(session) is TaskState.DELAYED


async def test_what_rests_for_another_reason_keeps_its_time(
    session: Session, worker: Worker, queue: str
) -> None:
    await rested(session, worker, queue, "rate_limited")

    assert await session.world.backstage.registry.try_misfits((queue,), (KIND,), looks=LOOKS) == 0

    assert await state(session) is TaskState.DELAYED
