"""A fork through an engine: what it takes over, what it is refused, and how often it begins."""

from uuid import UUID

import msgspec
import pytest

from mainspring_engine.domain.workflow.retention import BEHIND_ALL
from mainspring_engine.ports.retention import Trim
from mainspring_kernel.errors import NotFound, ValidationFailed, WorkflowKeyMismatch
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema.workflows import (
    CancelWorkflow,
    ForkWorkflow,
    GetWorkflow,
    SignalWorkflow,
    StartWorkflow,
)
from mainspring_testkit.scripts import run_script
from tests.integration.engine.house import House


async def begun(house: House, *, org_id: UUID = DEFAULT_ORG_ID, keys: tuple[str, ...] = ()) -> UUID:
    """A workflow with three recorded steps."""
    id_ = house.ids.uuid7()
    async with house.working() as engine:
        await engine.workflows.start(
            StartWorkflow(
                org_id=org_id, workflow_id=id_, type="order", input=b'["A-17"]', keys=keys
            )
        )
    for place in ("1", "2", "3"):
        await run_script(
            house.admin,
            "insert into engine.step_result (workflow_id, step, org_id, task_id, fence, rev,"
            " input_hash, body, hash, checkpoint)"
            f" values ('{id_}', '{place}', '{org_id}', '{id_}', 0, 0, '', '{place}', '', true)",
        )
    return id_


def fork_of(house: House, source: UUID, step: str | None, key: str | None = None) -> ForkWorkflow:
    return ForkWorkflow(
        org_id=DEFAULT_ORG_ID,
        workflow_id=house.ids.uuid7(),
        source_id=source,
        step=step,
        key=key,
    )


async def test_a_fork_is_under_the_keys_of_its_source(house: House) -> None:
    source = await begun(house, keys=("customer:7",))

    async with house.working() as engine:
        await engine.workflows.fork(fork_of(house, source, "3"))

    keyed = "engine.task as t join engine.route as r on t.route = r.id where r.model like '%key/%'"
    assert await house.count(keyed) == 2


async def test_a_fork_begins_with_the_input_and_the_steps_of_its_source(house: House) -> None:
    source = await begun(house)
    before = await house.types(source)

    async with house.working() as engine:
        started = await engine.workflows.fork(fork_of(house, source, "3"))
        view = await engine.workflows.get(
            GetWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=started.workflow_id)
        )
        kept = await engine.store.workflows.recorded(started.workflow_id, after="0")
        (first, *_) = (await engine.store.workflows.recorded(started.workflow_id, after="")).bodies

    assert (view.type, view.status, view.forked_from) == ("order", "running", source)
    assert kept.bodies == (b"1", b"2")
    assert b'["A-17"]' in first
    assert await house.types(source) == before


async def test_a_fork_is_pinned_to_the_build_that_it_names(house: House) -> None:
    source = await begun(house)
    pinned = msgspec.structs.replace(fork_of(house, source, "3"), build="b7")

    async with house.working() as engine:
        started = await engine.workflows.fork(pinned)
        view = await engine.workflows.get(
            GetWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=started.workflow_id)
        )
        with pytest.raises(ValidationFailed):
            await engine.workflows.fork(msgspec.structs.replace(pinned, build="b 7\n"))

    assert "of build b7" in view.explanation


async def test_a_fork_is_begun_once_by_its_key(house: House) -> None:
    source = await begun(house)

    async with house.working() as engine:
        one = await engine.workflows.fork(fork_of(house, source, "2", "again"))
        two = await engine.workflows.fork(fork_of(house, source, "2", "again"))
        with pytest.raises(WorkflowKeyMismatch):
            await engine.workflows.fork(fork_of(house, source, "3", "again"))

    assert (two.workflow_id, two.duplicate) == (one.workflow_id, True)


async def test_a_fork_that_is_asked_for_again_is_found_whatever_became_of_its_source(
    house: House,
) -> None:
    source = await begun(house)

    async with house.working() as engine:
        one = await engine.workflows.fork(fork_of(house, source, "2", "again"))
        await engine.store.retention.trim((Trim(workflow_id=source, bound=BEHIND_ALL),), limit=10)
        two = await engine.workflows.fork(fork_of(house, source, "2", "again"))
        with pytest.raises(ValidationFailed):
            await engine.workflows.fork(fork_of(house, source, "3", "again"))
        with pytest.raises(ValidationFailed):
            await engine.workflows.fork(fork_of(house, source, "2", "another"))

    assert (two.workflow_id, two.duplicate) == (one.workflow_id, True)


async def test_a_workflow_that_has_ended_is_forked(house: House) -> None:
    source = await begun(house)

    async with house.working() as engine:
        await engine.workflows.cancel(CancelWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=source))
        started = await engine.workflows.fork(fork_of(house, source, None))
        await engine.workflows.signal(
            SignalWorkflow(
                org_id=DEFAULT_ORG_ID,
                workflow_id=started.workflow_id,
                signal_id=house.ids.uuid7(),
                name="go",
            )
        )

    assert await house.types(started.workflow_id) == ["workflow.started", "workflow.signalled"]


async def test_a_step_that_is_not_recorded_begins_nothing(house: House) -> None:
    source = await begun(house)

    async with house.working() as engine:
        for step in ("4", "0", "workflow", "1/", "01", "1; drop"):
            with pytest.raises(ValidationFailed):
                await engine.workflows.fork(fork_of(house, source, step))


async def test_a_workflow_that_started_over_is_forked_within_a_generation(house: House) -> None:
    source = await begun(house)
    await run_script(
        house.admin,
        "insert into engine.step_result (workflow_id, step, org_id, task_id, fence, rev,"
        " input_hash, body, hash, checkpoint) select workflow_id, 'a1~' || step, org_id, task_id,"
        " fence, rev, input_hash, body, hash, checkpoint from engine.step_result"
        f" where workflow_id = '{source}'",
    )

    async with house.working() as engine:
        started = await engine.workflows.fork(fork_of(house, source, "a1~3"))
        kept = await engine.store.workflows.recorded(started.workflow_id, after="")
        with pytest.raises(ValidationFailed):
            await engine.workflows.fork(fork_of(house, source, "a2~1"))

    first, *steps = kept.bodies
    assert b'["A-17"]' in first
    assert b"a1~0" in first
    assert steps == [b"1", b"2"]


async def test_a_workflow_of_another_organization_is_not_found(house: House) -> None:
    source = await begun(house, org_id=house.ids.uuid7())

    async with house.working() as engine:
        with pytest.raises(NotFound):
            await engine.workflows.fork(fork_of(house, source, "2"))
