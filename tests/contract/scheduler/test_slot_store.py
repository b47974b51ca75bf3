"""Slots as claimers write and upkeep forgets them: Postgres and the memory twin answer alike."""

from uuid import UUID

import msgspec

from mainspring_scheduler.ports.schedules import ScheduleStore, Write
from mainspring_schema.schedules import ListSlots
from tests.contract.scheduler.due_rows import NOW, by_number, claim, due, known, put
from tests.unit.scheduler.rows import MINUTE, ORG, SCHEDULE, slot

OTHER_ORG = UUID(int=99)


# ── commits ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_commit_moves_the_schedule_and_keeps_what_people_said(store: ScheduleStore) -> None:
    await store.insert(due())
    (held,) = await claim(store)
    moved = msgspec.structs.replace(
        held.schedule, next_ms=NOW + MINUTE, last_ms=NOW, due_ms=NOW + MINUTE
    )

    assert await store.commit([Write(schedule=moved, slots=())]) == {SCHEDULE}
    assert await known(store, due()) == msgspec.structs.replace(moved, rev=moved.rev + 1)


async def test_nobody_puts_a_schedule_as_it_was_over_one_that_has_fired(
    store: ScheduleStore,
) -> None:
    await store.insert(due())
    (held,) = await claim(store)
    read = await known(store, due())
    fired = msgspec.structs.replace(held.schedule, next_ms=NOW + MINUTE, last_ms=NOW)
    await store.commit([Write(schedule=fired, slots=())])

    assert not await store.replace(msgspec.structs.replace(read, paused=True))

    row = await known(store, due())
    assert (row.next_ms, row.last_ms, row.paused) == (NOW + MINUTE, NOW, False)
    assert await store.replace(msgspec.structs.replace(row, paused=True))


async def test_a_commit_may_keep_the_hold(store: ScheduleStore) -> None:
    await store.insert(due())
    (held,) = await claim(store)
    moved = msgspec.structs.replace(held.schedule, next_ms=NOW + MINUTE, due_ms=None)

    await store.commit([Write(schedule=moved, slots=(), keep_hold=True)])

    row = await known(store, due())
    assert (row.next_ms, row.due_ms) == (NOW + MINUTE, held.schedule.due_ms)


async def test_after_another_claim_nothing_of_the_earlier_one_is_written(
    store: ScheduleStore,
) -> None:
    await store.insert(due())
    (first,) = await claim(store, hold_ms=0)
    (second,) = await claim(store)
    late = Write(
        schedule=msgspec.structs.replace(first.schedule, next_ms=None, due_ms=None),
        slots=(slot(1, "starting"),),
        fresh=frozenset([slot(1).id]),
    )

    assert await store.commit([late]) == set()
    assert await known(store, due()) == second.schedule
    assert await store.slot(ORG, slot(1).id) is None


async def test_what_a_slot_was_asked_with_comes_with_the_next_claim(store: ScheduleStore) -> None:
    await store.insert(due())
    (held,) = await claim(store)
    begun = msgspec.structs.replace(slot(1, "starting"), asked=b"what")
    row = msgspec.structs.replace(held.schedule, due_ms=NOW)
    await store.commit([Write(schedule=row, slots=(begun,), fresh=frozenset([begun.id]))])

    (again,) = await claim(store)
    changed = msgspec.structs.replace(begun, attempts=2, asked=None)
    row = msgspec.structs.replace(again.schedule, due_ms=NOW)
    await store.commit([Write(schedule=row, slots=(changed,))])
    (last,) = await claim(store)

    assert (again.slots, last.slots) == ((begun,), (changed,))


async def test_each_schedule_of_a_commit_is_written_whole_or_not_at_all(
    store: ScheduleStore,
) -> None:
    for number in (1, 2):
        await store.insert(by_number(number))
    good, stale = sorted(await claim(store), key=lambda held: held.schedule.spec.name)
    writes = [
        Write(
            schedule=msgspec.structs.replace(row, next_ms=None, due_ms=None),
            slots=(one,),
            fresh=frozenset([one.id]),
        )
        for row, one in (
            (good.schedule, slot(1, schedule_id=good.schedule.id)),
            (
                msgspec.structs.replace(stale.schedule, rev=1),
                slot(2, schedule_id=stale.schedule.id),
            ),
        )
    ]

    assert await store.commit(writes) == {good.schedule.id}
    assert await store.slot(ORG, slot(1).id) is not None
    assert await store.slot(ORG, slot(2).id) is None


async def test_a_time_has_one_slot(store: ScheduleStore) -> None:
    await store.insert(due())
    await put(store, slot(1, "waiting", slot_ms=NOW))

    # Another of the same time gets nowhere, a hand's own does.
    await put(
        store,
        slot(2, "waiting", slot_ms=NOW),
        slot(3, "waiting", slot_ms=NOW, origin="hand"),
        slot(4, "waiting", slot_ms=NOW + 1),
    )

    rows, total = await store.slot_page(ListSlots(org_id=ORG, schedule_id=SCHEDULE, limit=9))
    assert [row.id for row in rows] == [slot(n).id for n in (4, 3, 1)]
    assert total == 3


async def test_a_slot_is_changed_in_all_that_may_change(store: ScheduleStore) -> None:
    await store.insert(due())
    await put(store, slot(1, "waiting"))
    changed = msgspec.structs.replace(
        slot(1),
        attempts=3,
        code="unavailable",
        detail="away",
        workflow_id=UUID(int=4),
        ended_ms=NOW,
        status="failed",
        due_ms=None,
    )
    (held,) = await claim(store)

    await store.commit([Write(schedule=held.schedule, slots=(changed,))])

    assert await store.slot(ORG, slot(1).id) == changed
    assert await store.slot(OTHER_ORG, slot(1).id) is None


async def test_a_change_of_a_slot_is_of_no_other(store: ScheduleStore) -> None:
    await store.insert(due())
    ended, other = slot(1, "waiting"), slot(2, "waiting", slot_ms=NOW + 1)
    await put(store, ended, other)
    assert await store.open_slots(SCHEDULE) == 2
    changed = msgspec.structs.replace(ended, status="failed", ended_ms=NOW)
    (held,) = await claim(store)

    await store.commit([Write(schedule=held.schedule, slots=(changed,))])

    assert await store.slot(ORG, other.id) == other
    assert await store.open_slots(SCHEDULE) == 1


async def test_a_slot_by_hand_is_added_to_a_schedule_that_is_there_and_ones_own(
    store: ScheduleStore,
) -> None:
    await store.insert(due())
    by_hand = slot(1, "waiting", origin="hand")

    foreign = await store.add_slot(msgspec.structs.replace(by_hand, org_id=OTHER_ORG))
    row = await known(store, due())
    assert await store.replace(msgspec.structs.replace(row, deleted=True, next_ms=None))
    late = await store.add_slot(by_hand)

    assert foreign is late is None
    assert await store.open_slots(SCHEDULE) == 0


async def test_a_slot_by_hand_that_comes_while_a_schedule_is_worked_on_is_seen_at_once(
    store: ScheduleStore,
) -> None:
    await store.insert(due())
    (held,) = await claim(store)
    await store.add_slot(slot(1, "waiting", origin="hand"))
    quiet = msgspec.structs.replace(held.schedule, next_ms=NOW + MINUTE, due_ms=NOW + MINUTE)

    assert await store.commit([Write(schedule=quiet, slots=())]) == set()

    (again,) = await claim(store)
    assert [one.id for one in again.slots] == [slot(1).id]


async def test_a_change_of_a_slot_that_is_gone_brings_none_back(store: ScheduleStore) -> None:
    await store.insert(due())
    (held,) = await claim(store)

    await store.commit([Write(schedule=held.schedule, slots=(slot(1, "waiting"),))])

    assert await store.slot(ORG, slot(1).id) is None


async def test_slots_are_listed_by_status_and_counted(store: ScheduleStore) -> None:
    await store.insert(due())
    done = msgspec.structs.replace(
        slot(1, slot_ms=NOW - 50), status="completed", ended_ms=NOW - 50 + 300
    )
    failed = msgspec.structs.replace(
        slot(2, slot_ms=NOW - 40), status="failed", ended_ms=NOW - 40 + 100
    )
    await put(store, done, failed, slot(3, "waiting", slot_ms=NOW - 30))

    def wanted(**narrowed: object) -> ListSlots:
        return ListSlots(org_id=ORG, schedule_id=SCHEDULE, limit=2, **narrowed)  # pyright: ignore[reportArgumentType] -- as said below

    assert [row.id for row in (await store.slot_page(wanted()))[0]] == [slot(3).id, slot(2).id]
    assert [row.id for row in (await store.slot_page(wanted(offset=2)))[0]] == [slot(1).id]
    assert await store.slot_page(wanted(status="failed")) == ([failed], 1)
    counts = await store.counts(SCHEDULE, limit=10)
    assert counts.by_status == {"completed": 1, "failed": 1, "waiting": 1}
    assert counts.mean_ms == 200
    assert (await store.counts(SCHEDULE, limit=1)).by_status == {"waiting": 1}
    assert (await store.counts(UUID(int=6), limit=1)).mean_ms is None


# ── forgetting ──────────────────────────────────────────────────────────────────────────────────


async def test_old_slots_are_forgotten_and_open_ones_never(store: ScheduleStore) -> None:
    await store.insert(due())
    old = [
        msgspec.structs.replace(slot(n, slot_ms=NOW - n), status="completed", ended_ms=NOW - n)
        for n in (1, 2, 3)
    ]
    await put(store, *old, slot(4, "waiting", slot_ms=1))

    assert await store.forget(before_ms=NOW - 1, limit=1) == 1
    assert await store.forget(before_ms=NOW - 1, limit=9) == 1
    assert await store.forget(before_ms=NOW - 1, limit=9) == 0

    _, left = await store.slot_page(ListSlots(org_id=ORG, schedule_id=SCHEDULE, limit=9))
    assert left == 2


async def test_a_deleted_schedule_goes_when_its_last_slot_has(store: ScheduleStore) -> None:
    await store.insert(due())
    ended = msgspec.structs.replace(slot(1), status="completed", ended_ms=NOW)
    await put(store, ended, slot(2, "waiting", slot_ms=NOW))
    (held,) = await claim(store)
    gone = msgspec.structs.replace(held.schedule, deleted=True, next_ms=None, due_ms=NOW)
    assert await store.replace(gone)

    assert await store.slot(ORG, slot(2).id) is None  # it is followed, and shown to nobody
    assert await store.forget(before_ms=0, limit=9) == 1  # the ended slot; the other is followed
    (held,) = await claim(store)
    closed = msgspec.structs.replace(slot(2), status="skipped", ended_ms=NOW)
    quiet = msgspec.structs.replace(held.schedule, due_ms=None)
    await store.commit([Write(schedule=quiet, slots=(closed,))])
    assert await store.forget(before_ms=0, limit=9) == 2

    assert await store.insert(due()) == due()


async def test_a_deleted_schedule_stays_as_long_as_a_slot_of_it_is_open(
    store: ScheduleStore,
) -> None:
    await store.insert(due())
    await put(store, slot(1, "waiting", slot_ms=NOW))
    (held,) = await claim(store)
    gone = msgspec.structs.replace(held.schedule, deleted=True, next_ms=None, due_ms=None)
    assert await store.replace(gone)

    assert await store.forget(before_ms=0, limit=9) == 0


async def test_a_deleted_schedule_that_is_still_looked_at_stays(store: ScheduleStore) -> None:
    await store.insert(due())
    row = await known(store, due())
    assert await store.replace(msgspec.structs.replace(row, deleted=True, next_ms=None))

    assert await store.forget(before_ms=0, limit=9) == 0
