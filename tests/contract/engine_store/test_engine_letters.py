"""Dead letters and what operators decided about them."""

from uuid import UUID

import msgspec
import pytest

from mainspring_engine.domain.changes import DeadLetter
from mainspring_engine.domain.limits import REQUEUE_RETRY_S
from mainspring_engine.domain.rows import Closing, Outcome
from mainspring_engine.ports.letters import Resolve, Settled
from mainspring_schema.frames import Held
from mainspring_schema.messages import Controls
from mainspring_schema.operations import LetterFilter, LetterView
from tests.contract.engine_store.engine_worlds import IDS, Session, Worker, World, close

ALL = 100
ANY = LetterFilter()


async def die(
    world: World, worker: Worker, org_id: UUID, *, step: str = "reason:1", reason: str = "poison"
) -> tuple[Session, UUID]:
    """A turn that died of a dead letter, after it took in a message."""
    session = await Session.opened(world, org_id)
    task = session.task(step, claim=worker.claim)
    accept = session.accept(consumed=True)
    controls = Controls(verbosity="high")
    await session.commit(
        session.changes(
            workflows=(session.workflow(),),
            tasks=(task,),
            accepts=(msgspec.structs.replace(accept, controls=controls),),
        )
    )
    letter = DeadLetter(
        task_id=task.id, workflow_id=session.turn, reason=reason, detail="it kills its workers"
    )
    reply = await session.commit(
        session.changes(
            workflows=(session.workflow(outcome=Outcome.FAILED, state=b"dead"),),
            closes=(close(Held(task.id, 1), closing=Closing.QUARANTINED, error_code="poison"),),
            dead_letters=(letter,),
        )
    )
    assert reply.verdict == 1, reply
    return session, task.id


def discard(session: Session, task_id: UUID) -> Resolve:
    return Resolve(org_id=session.org_id, task_id=task_id)


def requeue(session: Session, task_id: UUID, *, delay_ms: int = 0) -> Resolve:
    return Resolve(
        org_id=session.org_id, task_id=task_id, workflow_id=IDS.uuid7(), delay_ms=delay_ms
    )


async def seen(world: World, session: Session, task_id: UUID) -> LetterView:
    letter = await world.backstage.letters.letter(session.org_id, task_id)
    assert letter is not None
    return letter


# ── reading ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_dead_letter_tells_what_died_of_what(world: World, worker: Worker) -> None:
    session, task_id = await die(world, worker, IDS.uuid7(), step="tool:2:1")

    letter = await seen(world, session, task_id)

    assert (letter.task_id, letter.workflow_id, letter.session_id) == (
        task_id, session.turn, session.id,
    )  # fmt: skip
    assert (letter.step, letter.kind) == ("tool:2:1", "tool")
    assert (letter.reason, letter.detail) == ("poison", "it kills its workers")
    assert abs(letter.died_ms - world.now_ms()) < 60_000
    assert (letter.status, letter.requeued_as, letter.refusal, letter.due_ms) == (
        "open", None, None, None,
    )  # fmt: skip


async def test_nobody_else_sees_a_dead_letter(world: World, worker: Worker) -> None:
    _, task_id = await die(world, worker, IDS.uuid7())
    stranger = IDS.uuid7()

    assert await world.backstage.letters.letter(stranger, task_id) is None
    assert await world.backstage.letters.page(stranger, ANY, after=None, limit=ALL) == ()


async def test_letters_are_listed_newest_first_and_cut(world: World, worker: Worker) -> None:
    org = IDS.uuid7()
    ids = [(await die(world, worker, org))[1] for _ in range(3)]
    letters = world.backstage.letters

    first = await letters.page(org, ANY, after=None, limit=2)
    rest = await letters.page(org, ANY, after=first[-1].task_id, limit=2)

    assert [letter.task_id for letter in (*first, *rest)] == ids[::-1]


async def test_a_list_leaves_out_kinds(world: World, worker: Worker) -> None:
    org = IDS.uuid7()
    _, tool_id = await die(world, worker, org, step="tool:1:0")
    for step in ("workflow", "reason:1"):
        await die(world, worker, org, step=step)

    found = await world.backstage.letters.page(
        org, ANY, after=None, limit=1, but=("workflow", "reason")
    )

    assert [letter.task_id for letter in found] == [tool_id]


async def test_a_list_is_narrowed_by_each_condition(world: World, worker: Worker) -> None:
    org = IDS.uuid7()
    tool, tool_id = await die(world, worker, org, step="tool:1:0", reason="exhausted")
    model, model_id = await die(world, worker, org)
    letters = world.backstage.letters
    await letters.resolve((discard(tool, tool_id),))
    died_ms = (await seen(world, model, model_id)).died_ms

    async def ids(wanted: LetterFilter) -> list[UUID]:
        return [letter.task_id for letter in await letters.page(org, wanted, after=None, limit=ALL)]

    assert await ids(LetterFilter(kind="tool")) == [tool_id]
    assert await ids(LetterFilter(kind="workflow")) == []
    assert await ids(LetterFilter(kind="reason")) == [model_id]
    assert await ids(LetterFilter(reason="exhausted")) == [tool_id]
    assert await ids(LetterFilter(status="open")) == [model_id]
    assert await ids(LetterFilter(status="discarded")) == [tool_id]
    assert await ids(LetterFilter(session_id=model.id)) == [model_id]
    assert await ids(LetterFilter(workflow_id=tool.turn)) == [tool_id]
    assert await ids(LetterFilter(from_ms=died_ms + 60_000)) == []
    assert await ids(LetterFilter(until_ms=died_ms + 60_000)) == [model_id, tool_id]


async def test_the_time_that_a_letter_tells_is_a_bound_to_ask_by(
    world: World, worker: Worker
) -> None:
    org = IDS.uuid7()
    for _ in range(6):
        await die(world, worker, org)  # within a millisecond each somewhere else
    told = await world.backstage.letters.page(org, ANY, after=None, limit=ALL)

    for letter in told:
        at_ms = letter.died_ms
        since, until = [
            await world.backstage.letters.page(org, wanted, after=None, limit=ALL)
            for wanted in (LetterFilter(from_ms=at_ms), LetterFilter(until_ms=at_ms))
        ]

        assert letter in since
        assert letter not in until


# ── resolutions ─────────────────────────────────────────────────────────────────────────────────


async def test_a_discarded_letter_is_dealt_with_for_good(world: World, worker: Worker) -> None:
    session, task_id = await die(world, worker, IDS.uuid7())
    letters = world.backstage.letters

    taken = await letters.resolve((discard(session, task_id),))
    again = await letters.resolve((requeue(session, task_id),))

    assert (taken, again) == ((True,), (False,))
    letter = await seen(world, session, task_id)
    assert (letter.status, letter.requeued_as) == ("discarded", None)
    assert letter.resolved_ms is not None


async def test_orders_about_nothing_or_of_others_are_not_taken(
    world: World, worker: Worker
) -> None:
    session, task_id = await die(world, worker, IDS.uuid7())
    foreign = Resolve(org_id=IDS.uuid7(), task_id=task_id)
    nothing = Resolve(org_id=session.org_id, task_id=IDS.uuid7())

    refused = await world.backstage.letters.resolve((foreign, nothing))
    taken = await world.backstage.letters.resolve((nothing, discard(session, task_id)))

    assert (refused, taken) == ((False, False), (False, True))


async def test_a_requeue_is_due_with_what_its_turn_begins_from(
    world: World, worker: Worker
) -> None:
    session, task_id = await die(world, worker, IDS.uuid7())
    order = requeue(session, task_id)
    letters = world.backstage.letters
    await letters.resolve((order,))

    (due,) = await letters.due((task_id,), ALL)

    assert (due.task_id, due.org_id, due.session_id) == (task_id, session.org_id, session.id)
    assert (due.workflow_id, due.dead_workflow_id) == (order.workflow_id, session.turn)
    assert (due.state, due.config_hash, due.taken_up) == (b"dead", b"c" * 32, False)
    assert due.controls == Controls(verbosity="high")
    assert (await seen(world, session, task_id)).status == "requeueing"


async def test_a_requeue_goes_on_with_what_its_last_message_asked_for(
    world: World, worker: Worker
) -> None:
    session = await Session.opened(world)
    task = session.task(claim=worker.claim)
    accepts = tuple(
        msgspec.structs.replace(
            session.accept(consumed=True),
            seq=session.head.last_seq + 1 + n,
            controls=Controls(verbosity=verbosity),
        )
        for n, verbosity in enumerate(("low", "high", "medium"))
    )
    await session.commit(
        session.changes(events=3, workflows=(session.workflow(),), tasks=(task,), accepts=accepts)
    )
    letter = DeadLetter(task_id=task.id, workflow_id=session.turn, reason="poison", detail="d")
    await session.commit(
        session.changes(
            workflows=(session.workflow(outcome=Outcome.FAILED),),
            closes=(close(Held(task.id, 1), closing=Closing.QUARANTINED),),
            dead_letters=(letter,),
        )
    )
    await world.backstage.letters.resolve((requeue(session, task.id),))

    (due,) = await world.backstage.letters.due((task.id,), ALL)

    assert due.controls == Controls(verbosity="medium")


async def test_a_requeue_is_due_at_its_time_and_once_in_a_while(
    world: World, worker: Worker
) -> None:
    session, task_id = await die(world, worker, IDS.uuid7())
    letters = world.backstage.letters
    await letters.resolve((requeue(session, task_id, delay_ms=30_000),))

    async def is_due() -> bool:
        return task_id in {one.task_id for one in await letters.due(None, ALL)}

    early = await is_due()
    await world.pass_time(31)
    in_time, at_once_again = await is_due(), await is_due()
    await world.pass_time(REQUEUE_RETRY_S + 1)

    assert (early, in_time, at_once_again) == (False, True, False)
    assert await is_due()


async def test_an_order_that_was_left_alone_goes_on_at_its_rate(
    world: World, worker: Worker
) -> None:
    org = IDS.uuid7()
    dead = [await die(world, worker, org) for _ in range(4)]
    letters = world.backstage.letters
    await letters.resolve(
        tuple(requeue(*one, delay_ms=60_000 * place) for place, one in enumerate(dead))
    )
    first, second, third, fourth = (task_id for _, task_id in dead)
    mine = {first, second, third, fourth}

    async def due() -> set[UUID]:
        return mine & {one.task_id for one in await letters.due(None, ALL)}

    at_first = await due()
    await letters.settle((Settled(task_id=first),))
    await world.pass_time(600)
    await letters.keep_pace()
    await letters.keep_pace()  # of another engine
    late = await due()
    await letters.settle((Settled(task_id=second),))
    await world.pass_time(61)
    in_time = await due()

    assert (at_first, late, in_time) == ({first}, {second}, {third})
    fourth_due = (await seen(world, dead[3][0], fourth)).due_ms
    third_due = (await seen(world, dead[2][0], third)).due_ms
    assert fourth_due is not None
    assert third_due is not None
    assert fourth_due - third_due == pytest.approx(60_000, abs=2)


async def test_an_order_that_is_late_moves_no_other_one_of_its_organization(
    world: World, worker: Worker
) -> None:
    org = IDS.uuid7()
    dead = [await die(world, worker, org) for _ in range(2)]
    letters = world.backstage.letters
    await letters.resolve((requeue(*dead[0]),))
    await world.pass_time(1)
    await letters.resolve((requeue(*dead[1], delay_ms=1_200_000),))
    before = (await seen(world, *dead[1])).due_ms

    await world.pass_time(600)
    await letters.keep_pace()

    after = (await seen(world, *dead[1])).due_ms
    assert before is not None
    assert after is not None
    assert before - after in (0, 600_000), "at its time, whatever way the test lets time go by"


async def test_due_requeues_come_in_order_and_bounded(world: World, worker: Worker) -> None:
    org = IDS.uuid7()
    dead = [await die(world, worker, org) for _ in range(3)]
    letters = world.backstage.letters
    await letters.resolve(
        tuple(requeue(*one, delay_ms=1000 * place) for place, one in enumerate(reversed(dead)))
    )

    due = await letters.due(tuple(task_id for _, task_id in dead), 2)

    assert [one.task_id for one in due] == [dead[2][1], dead[1][1]]


async def test_a_requeue_whose_turn_is_there_says_so(world: World, worker: Worker) -> None:
    session, task_id = await die(world, worker, IDS.uuid7())
    order = requeue(session, task_id)
    letters = world.backstage.letters
    await letters.resolve((order,))
    assert order.workflow_id is not None
    begun = msgspec.structs.replace(
        session.workflow(), id=order.workflow_id, expected_rev=0, ordinal=2
    )
    await session.commit(session.changes(workflows=(begun,)))

    (due,) = await letters.due((task_id,), ALL)

    assert due.taken_up


async def test_a_settled_requeue_is_due_no_more(world: World, worker: Worker) -> None:
    session, task_id = await die(world, worker, IDS.uuid7())
    order = requeue(session, task_id)
    letters = world.backstage.letters
    await letters.resolve((order,))

    await letters.settle((Settled(task_id=task_id),))

    letter = await seen(world, session, task_id)
    assert (letter.status, letter.requeued_as) == ("requeued", order.workflow_id)
    assert await letters.due((task_id,), ALL) == ()
    assert await letters.resolve((discard(session, task_id),)) == (False,)


@pytest.mark.parametrize("refusal", ["superseded", "session_gone"])
async def test_a_refused_requeue_may_be_decided_anew(
    world: World, worker: Worker, refusal: str
) -> None:
    session, task_id = await die(world, worker, IDS.uuid7())
    letters = world.backstage.letters
    await letters.resolve((requeue(session, task_id),))
    await letters.settle((msgspec.convert({"task_id": task_id, "refusal": refusal}, Settled),))
    refused = await seen(world, session, task_id)

    again = await letters.resolve((discard(session, task_id),))

    assert (refused.status, refused.refusal) == ("refused", refusal)
    assert again == (True,)
    assert (await seen(world, session, task_id)).status == "discarded"


async def test_a_refused_requeue_that_is_ordered_anew_is_due_again(
    world: World, worker: Worker
) -> None:
    session, task_id = await die(world, worker, IDS.uuid7())
    letters = world.backstage.letters
    await letters.resolve((requeue(session, task_id),))
    await letters.due(None, ALL)  # tried lately
    await letters.settle((Settled(task_id=task_id, refusal="superseded"),))

    order = requeue(session, task_id)
    assert await letters.resolve((order,)) == (True,)

    again = await seen(world, session, task_id)
    assert (again.status, again.refusal) == ("requeueing", None)
    due = {one.task_id: one.workflow_id for one in await letters.due(None, ALL)}
    assert due[task_id] == order.workflow_id


async def test_a_sample_counts_letters_that_nobody_has_dealt_with(
    world: World, worker: Worker
) -> None:
    inspection, letters = world.backstage.inspection, world.backstage.letters
    before = (await inspection.sample()).dead_letters
    session, task_id = await die(world, worker, IDS.uuid7())
    other, other_id = await die(world, worker, IDS.uuid7())
    died = (await inspection.sample()).dead_letters

    await letters.resolve((discard(session, task_id), requeue(other, other_id)))
    dealt_with = (await inspection.sample()).dead_letters
    await letters.settle((Settled(task_id=other_id, refusal="superseded"),))

    assert (died, dealt_with) == (before + 2, before)
    assert (await inspection.sample()).dead_letters == before + 1
