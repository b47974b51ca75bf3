"""What a workflow still answers once its records were removed."""

import pytest

from mainspring_engine.domain.workflow.retention import Keep
from mainspring_engine.usecases.retention import Retention
from mainspring_kernel.errors import Conflict, ValidationFailed
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_local.invariants.checks import examine, invariants
from mainspring_schema.workflows import CancelWorkflow, GetWorkflow, QueryWorkflow
from mainspring_testkit.scripts import run_script
from tests.integration.engine.house import House
from tests.integration.engine.test_engine_forks import begun, fork_of

AT_ONCE = Keep(ended_days=1e-9)


async def test_of_one_that_ended_long_ago_what_happened_stays(house: House) -> None:
    source = await begun(house)
    async with house.working() as engine:
        retention = Retention(engine.store.retention, AT_ONCE)
        assert (await retention.sweep()).records == 0  # it goes on
        await engine.workflows.cancel(CancelWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=source))
        before = await house.types(source)

        assert (await retention.sweep()).records == 4

        view = await engine.workflows.get(GetWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=source))
        assert view.status == "cancelled"
        assert await house.types(source) == before
        with pytest.raises(Conflict, match="removed"):
            await engine.workflows.fork(fork_of(house, source, None))
        with pytest.raises(ValidationFailed, match="kept"):
            await engine.workflows.fork(fork_of(house, source, "2"))
        with pytest.raises(Conflict, match="removed"):
            await engine.workflows.query(
                QueryWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=source, name="stage")
            )


async def test_nobody_else_removes_a_record(house: House) -> None:
    source = await begun(house)

    with pytest.raises(Exception, match="rows are final"):
        await run_script(
            house.admin, f"delete from engine.step_result where workflow_id = '{source}'"
        )
    with pytest.raises(Exception, match="permission denied"):
        await run_script(
            house.database, f"delete from engine.step_result where workflow_id = '{source}'"
        )


async def test_the_invariants_hold_without_what_was_removed(house: House) -> None:
    source = await begun(house)
    async with house.working() as engine:
        await engine.workflows.cancel(CancelWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=source))
        await Retention(engine.store.retention, AT_ONCE).sweep()

    found = await examine(house.admin, invariants())

    assert [finding for finding in found if finding.violating] == []
