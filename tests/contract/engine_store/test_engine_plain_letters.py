"""Dead letters of plain tasks: who takes one up, and orders that are taken back."""

import pytest

from mainspring_engine.domain.plain import NewPlain
from mainspring_engine.domain.rows import Closing
from mainspring_engine.ports.letters import Resolve, Settled
from mainspring_kernel.limits import LEASE_S
from mainspring_schema.frames import Held
from tests.contract.engine_store.engine_worlds import IDS, Worker, World
from tests.contract.engine_store.test_engine_plain_tasks import ORG, done, plain


async def die(world: World, worker: Worker, queue: str) -> NewPlain:
    dead = plain(queue, claim=worker.claim)
    await world.store.plain.submit((dead,))
    await world.pass_time(LEASE_S + 1)
    poison = done(
        Held(dead.id, 1), closing=Closing.QUARANTINED, result_hash=b"", reason="poison", detail="x"
    )
    await world.store.plain.end((poison,))
    return dead


async def test_a_dead_plain_task_is_due_to_be_taken_up_until_another_one_is_there(
    world: World, worker: Worker, queue: str
) -> None:
    dead = await die(world, worker, queue)
    heir = plain(queue, source=dead.id)
    letters = world.backstage.letters
    order = Resolve(org_id=ORG, task_id=dead.id, workflow_id=heir.id)

    assert await letters.resolve((order,)) == (True,)
    (before,) = await letters.due((dead.id,), 1)
    await world.store.plain.submit((heir,))
    (after,) = await letters.due((dead.id,), 1)
    await letters.settle((Settled(task_id=dead.id),))

    assert (before.of_plain, before.taken_up, before.workflow_id) == (True, False, heir.id)
    assert after.taken_up
    letter = await letters.letter(ORG, dead.id)
    assert letter is not None
    assert (letter.status, letter.requeued_as) == ("requeued", heir.id)


@pytest.mark.parametrize("foreign", [False, True])
async def test_a_task_that_was_not_made_for_it_takes_no_letter_up(
    world: World, worker: Worker, queue: str, *, foreign: bool
) -> None:
    dead = await die(world, worker, queue)
    other = plain(
        queue, source=dead.id if foreign else None, org_id=IDS.uuid7() if foreign else ORG
    )
    await world.store.plain.submit((other,))
    letters = world.backstage.letters
    await letters.resolve((Resolve(org_id=ORG, task_id=dead.id, workflow_id=other.id),))

    (due,) = await letters.due((dead.id,), 1)

    assert not due.taken_up


async def test_an_order_that_is_taken_back_leaves_the_letter_open(
    world: World, worker: Worker, queue: str
) -> None:
    dead, letters = await die(world, worker, queue), world.backstage.letters
    new_id = IDS.uuid7()
    order = Resolve(org_id=ORG, task_id=dead.id, workflow_id=new_id)
    await letters.resolve((order,))

    await letters.reopen(dead.id, IDS.uuid7())
    another = await letters.letter(ORG, dead.id)
    await letters.reopen(dead.id, new_id)
    taken_back = await letters.letter(ORG, dead.id)
    again = await letters.resolve((order,))
    await letters.settle((Settled(task_id=dead.id),))
    await letters.reopen(dead.id, new_id)
    settled = await letters.letter(ORG, dead.id)

    statuses = [one.status for one in (another, taken_back, settled) if one is not None]
    assert (statuses, again) == (["requeueing", "open", "requeued"], (True,))


async def test_one_task_is_ordered_for_one_letter(world: World, worker: Worker, queue: str) -> None:
    one, two = await die(world, worker, queue), await die(world, worker, queue)
    new_id, letters = IDS.uuid7(), world.backstage.letters

    first = await letters.resolve((Resolve(org_id=ORG, task_id=one.id, workflow_id=new_id),))
    second = await letters.resolve((Resolve(org_id=ORG, task_id=two.id, workflow_id=new_id),))

    assert (first, second) == ((True,), (False,))
