"""A rolling deploy without a build: of the workers side by side some have code that fits."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID

from mainspring_engine.main import Engine
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema.tasks import WorkflowResult
from mainspring_schema.workflows import SignalWorkflow, StartWorkflow, Wait
from tests.integration.engine.house import House
from tests.integration.engine.scripted_worker import ScriptedWorker

KINDS = ("workflow:order",)
MISFIT = WorkflowResult(outcome="held")
WORKFLOWS = 6
Refusal = tuple[UUID, UUID]
"""The worker, and the workflow that its code does not fit."""


def waits_for(name: str) -> WorkflowResult:
    return WorkflowResult(
        outcome="suspended", waits=(Wait(step="1", name=name, kind="signal"),)
    )  # fmt: skip


@asynccontextmanager
async def refusing(*workers: ScriptedWorker) -> AsyncGenerator[asyncio.Queue[Refusal]]:
    """Their code fits nothing. Each refusal, once it is committed."""
    refused: asyncio.Queue[Refusal] = asyncio.Queue()

    async def refuse(worker: ScriptedWorker) -> None:
        while True:
            task = await worker.tasks.get()
            worker.bring(task, MISFIT)
            await worker.acks.get()
            refused.put_nowait((worker.incarnation, task.session_id))

    running = [asyncio.create_task(refuse(worker)) for worker in workers]
    try:
        yield refused
    finally:
        for one in running:
            one.cancel()
        await asyncio.wait(running)


async def signal(house: House, engine: Engine, workflow_id: UUID, name: str) -> None:
    await engine.workflows.signal(
        SignalWorkflow(
            org_id=DEFAULT_ORG_ID, workflow_id=workflow_id, signal_id=house.ids.uuid7(),
            name=name, payload=b"1",
        )
    )  # fmt: skip


async def begun(house: House, engine: Engine) -> list[UUID]:
    ids = [house.ids.uuid7() for _ in range(WORKFLOWS)]
    for id_ in ids:
        await engine.workflows.start(
            StartWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=id_, type="order", input=b"[]")
        )
    return ids


async def bring_all(worker: ScriptedWorker, result: WorkflowResult) -> None:
    for _ in range(WORKFLOWS):
        worker.bring(await worker.next_task(), result)
        await worker.acknowledged()


async def test_what_one_worker_refuses_goes_to_the_other_at_once_and_to_it_alone(
    house: House,
) -> None:
    before, fitting, unfit = (ScriptedWorker(house.ids) for _ in range(3))
    async with house.working() as engine:
        await before.attach(engine.conversations, capabilities=KINDS)
        ids = await begun(house, engine)
        await bring_all(before, waits_for("first"))
        await before.leave()
        await fitting.attach(engine.conversations, capabilities=KINDS)
        await unfit.attach(engine.conversations, capabilities=KINDS)

        async with refusing(unfit) as refused:
            for name in ("first", "second"):
                for id_ in ids:
                    await signal(house, engine, id_, name)
                await bring_all(fitting, waits_for("second" if name == "first" else "third"))

        counts = Counter(refused.get_nowait() for _ in range(refused.qsize()))
        assert counts, "the unfit one was never asked, so this shows nothing"
        assert max(counts.values()) == 1
        for id_ in ids:
            assert "workflow.held" not in await house.types(id_)
        await unfit.leave()
        await fitting.leave()


async def test_what_every_worker_refuses_is_held(house: House) -> None:
    one, other = ScriptedWorker(house.ids), ScriptedWorker(house.ids)
    async with house.working() as engine:
        await one.attach(engine.conversations, capabilities=KINDS)
        await other.attach(engine.conversations, capabilities=KINDS)

        async with refusing(one, other) as refused:
            ids = await begun(house, engine)
            async with asyncio.timeout(10):
                seen = [await refused.get() for _ in range(2 * WORKFLOWS)]

        assert set(seen) == {(worker.incarnation, id_) for worker in (one, other) for id_ in ids}
        for id_ in ids:
            assert (await house.types(id_)).count("workflow.held") == 1
        await one.leave()
        await other.leave()
