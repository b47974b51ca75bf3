"""Schedules as people change and replicas claim them: Postgres and the memory twin answer alike."""

import asyncio
from uuid import UUID

import msgspec
import pytest

from mainspring_kernel.errors import NameTaken
from mainspring_scheduler.domain.duties import PLANS, Duty
from mainspring_scheduler.domain.slots import Schedule
from mainspring_scheduler.ports.duties import DutyStore
from mainspring_scheduler.ports.schedules import ScheduleStore
from mainspring_schema.schedules import Cron, ListSchedules, MessageTarget, Once
from tests.contract.scheduler.due_rows import HOLD_MS, NOW, by_number, claim, due, known, put
from tests.unit.scheduler.rows import NEW_SESSION, ORG, SCHEDULE, SESSION, WORKFLOW, schedule, slot

OTHER_ORG = UUID(int=99)
DAY = 86_400_000
"""Later than any run of the suite lasts: NOW is when it began."""


# ── what people do ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "row",
    [
        due(),
        due(timing=Cron(expression="0 3 * * *", timezone="Europe/Prague"), target=WORKFLOW),
        due(timing=Once(at="2026-01-01T00:00:00Z", at_ms=NOW), jitter_s=5, overlap="cancel_other"),
    ],
)
async def test_what_is_put_in_comes_out(store: ScheduleStore, row: Schedule) -> None:
    assert await store.insert(row) == row
    assert await store.get(ORG, SCHEDULE) == row
    assert await store.get(OTHER_ORG, SCHEDULE) is None


async def test_its_time_is_the_one_of_its_claims(store: ScheduleStore) -> None:
    await store.insert(due())
    before = await store.now_ms()
    claimed = await store.claim(limit=1, hold_ms=HOLD_MS)

    assert before <= claimed.now_ms <= await store.now_ms()


async def test_inserted_again_the_first_one_stands(store: ScheduleStore) -> None:
    await store.insert(due())

    assert await store.insert(due(overlap="allow_all")) == due()


async def test_a_name_is_taken_in_its_organization(store: ScheduleStore) -> None:
    await store.insert(due())
    elsewhere = msgspec.structs.replace(due(id_=UUID(int=8)), org_id=OTHER_ORG)

    with pytest.raises(NameTaken):
        await store.insert(due(id_=UUID(int=7)))
    assert await store.insert(elsewhere) == elsewhere


async def test_a_page_is_newest_first_and_narrowed(store: ScheduleStore) -> None:
    for number in range(4):
        row = by_number(number, **({"target": WORKFLOW} if number == 1 else {}))
        await store.insert(msgspec.structs.replace(row, paused=number == 2))

    async def names(**narrowed: object) -> tuple[list[str], int]:
        wanted = ListSchedules(org_id=ORG, limit=2, **narrowed)  # pyright: ignore[reportArgumentType] -- as said below
        rows, total = await store.page(wanted)
        return [row.spec.name for row in rows], total

    assert await names() == (["s3", "s2"], 4)
    assert await names(offset=2) == (["s1", "s0"], 4)
    assert await names(paused=True) == (["s2"], 1)
    assert await names(target="workflow") == (["s1"], 1)
    assert await names(paused=False, target="message") == (["s3", "s0"], 2)
    assert await store.count(ORG) == 4
    assert await store.count(OTHER_ORG) == 0
    gone = msgspec.structs.replace(await known(store, by_number(3)), deleted=True, next_ms=None)
    assert await store.replace(gone)
    assert await names() == (["s2", "s1"], 3)


async def test_a_change_is_written_where_nobody_was_faster(store: ScheduleStore) -> None:
    await store.insert(due())
    changed = msgspec.structs.replace(due(name="t", target=WORKFLOW), paused=True, next_ms=None)

    assert await store.replace(changed)
    assert not await store.replace(changed)

    assert await known(store, changed) == msgspec.structs.replace(changed, rev=2)


async def test_a_change_does_not_take_a_name(store: ScheduleStore) -> None:
    await store.insert(due())
    other = due(id_=UUID(int=7), name="t")
    await store.insert(other)
    renamed = due(id_=UUID(int=7), name="s")

    with pytest.raises(NameTaken):
        await store.replace(renamed)
    assert await known(store, other) == other


async def test_a_session_has_the_schedules_that_will_still_write_to_it(
    store: ScheduleStore,
) -> None:
    other, unknown = UUID(int=31), UUID(int=32)
    for number in range(3):
        await store.insert(by_number(number))
    over = msgspec.structs.replace(by_number(3), next_ms=None)
    elsewhere = msgspec.structs.replace(by_number(4), org_id=OTHER_ORG)
    rows = (over, elsewhere, by_number(5, target=NEW_SESSION), by_number(6, target=WORKFLOW))
    for row in rows:
        await store.insert(row)
    moved = msgspec.structs.replace(
        by_number(0).spec, target=MessageTarget(session_id=other, message=b"{}")
    )
    await store.replace(msgspec.structs.replace(by_number(0), spec=moved))
    await store.replace(msgspec.structs.replace(by_number(1), deleted=True, next_ms=None))

    assert await store.counts_of_sessions(ORG, [SESSION, other, unknown]) == {SESSION: 1, other: 1}
    assert await store.counts_of_sessions(ORG, []) == {}


async def test_a_deleted_one_is_not_found_and_frees_its_name(store: ScheduleStore) -> None:
    await store.insert(due())
    await store.replace(msgspec.structs.replace(due(), deleted=True))

    assert await store.get(ORG, SCHEDULE) is None
    assert await store.count(ORG) == 0
    assert await store.add_slot(slot(1, "waiting", origin="hand")) is None
    await store.insert(due(id_=UUID(int=7)))


async def test_a_slot_by_hand_makes_its_schedule_due(store: ScheduleStore) -> None:
    await store.insert(schedule(next_ms=NOW + DAY))
    added = slot(1, "waiting", origin="hand")

    first = await store.add_slot(added)
    again = await store.add_slot(msgspec.structs.replace(added, slot_ms=NOW + 5))

    assert first == again == added
    assert await store.open_slots(SCHEDULE) == 1
    (held,) = await claim(store)
    assert held.slots == (added,)


# ── claims ──────────────────────────────────────────────────────────────────────────────────────


async def test_the_most_overdue_are_claimed_first_and_only_once(store: ScheduleStore) -> None:
    for number, late_ms in enumerate((10, 3000, 200)):
        row = msgspec.structs.replace(by_number(number), due_ms=NOW - late_ms)
        await store.insert(row)

    first = await claim(store, limit=2)
    second = await claim(store, limit=2)

    assert sorted(held.schedule.spec.name for held in first) == ["s1", "s2"]
    assert [held.schedule.spec.name for held in second] == ["s0"]
    assert await claim(store) == []


async def test_a_claim_holds_raises_the_rev_and_tells_the_time(store: ScheduleStore) -> None:
    await store.insert(due())

    claimed = await store.claim(limit=1, hold_ms=HOLD_MS)

    (held,) = claimed.held
    assert held.schedule.rev == 2
    assert held.schedule.due_ms == claimed.now_ms + HOLD_MS
    assert NOW <= claimed.now_ms < NOW + DAY
    assert await known(store, due()) == held.schedule


async def test_a_hold_that_ended_lets_the_next_one_in(store: ScheduleStore) -> None:
    await store.insert(due())
    await claim(store, hold_ms=0)

    (held,) = await claim(store)

    assert held.schedule.rev == 3


async def test_what_is_not_due_and_what_waits_for_nothing_is_not_claimed(
    store: ScheduleStore,
) -> None:
    await store.insert(schedule(next_ms=NOW + DAY))
    await store.insert(msgspec.structs.replace(by_number(1), due_ms=None))

    assert await claim(store) == []


async def test_a_claim_brings_the_open_slots_oldest_first(store: ScheduleStore) -> None:
    await store.insert(due())
    rows = (
        slot(1, "waiting", slot_ms=NOW - 10),
        slot(2, slot_ms=NOW - 30),
        msgspec.structs.replace(slot(3, slot_ms=NOW - 20), status="completed", ended_ms=NOW),
    )
    await put(store, *rows)

    (held,) = await claim(store)

    assert held.slots == (rows[1], rows[0])


async def test_replicas_that_claim_together_share_the_schedules(store: ScheduleStore) -> None:
    for number in range(12):
        await store.insert(by_number(number))

    claims = await asyncio.gather(*(claim(store, limit=5) for _ in range(6)))

    names = [held.schedule.spec.name for taken in claims for held in taken]
    assert sorted(names) == sorted(f"s{number}" for number in range(12))


# ── the duty of schedules ───────────────────────────────────────────────────────────────────────


async def test_the_duty_of_schedules_is_due_only_while_a_schedule_is(
    stores: tuple[DutyStore, ScheduleStore],
) -> None:
    duties, store = stores
    await duties.plant([PLANS[Duty.SCHEDULES]])
    without = await duties.claim([Duty.SCHEDULES])
    await store.insert(schedule(next_ms=NOW + DAY))
    early = await duties.claim([Duty.SCHEDULES])
    await store.insert(due(id_=UUID(int=7), name="t"))

    then = await duties.claim([Duty.SCHEDULES])

    assert (without.duties, without.due_in_ms) == ((), None)
    assert early.duties == ()
    assert early.due_in_ms is not None
    assert 0 < early.due_in_ms <= DAY
    assert [claimed.name for claimed in then.duties] == [Duty.SCHEDULES]
    assert then.due_in_ms is not None
    assert then.due_in_ms <= -1000
