"""Both stores keep records alike."""

from typing import ClassVar
from uuid import UUID, uuid4

import pytest

from mainspring_api.domain.records import Record
from mainspring_api.ports.store import Store
from mainspring_kernel.clock import SystemClock
from mainspring_kernel.errors import MainspringError, NameTaken
from mainspring_kernel.ids import DEFAULT_ORG_ID, OrgId, RandomIds
from tests.contract.api.conftest import NOW_MS

IDS = RandomIds(SystemClock())


class Note(Record, frozen=True, kw_only=True):
    kind: ClassVar[str] = "note"

    text: str


class Stone(Record, frozen=True, kw_only=True):
    kind: ClassVar[str] = "stone"


def note(text: str, *, key: str = "", owner_id: UUID = DEFAULT_ORG_ID, at: int = 0) -> Note:
    return Note(
        org_id=DEFAULT_ORG_ID,
        id=IDS.uuid7(),
        owner_id=owner_id,
        key=key,
        text=text,
        created_ms=NOW_MS + at,
        updated_ms=NOW_MS + at,
    )


async def test_a_record_is_read_back_by_id_and_by_key(store: Store) -> None:
    one = note("one", key="k")

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_record(one)
        await tx.put_record(note("without a key"))
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        found = (
            await tx.record(Note, one.id),
            await tx.record(Note, one.id, lock=True),
            await tx.record_keyed(Note, DEFAULT_ORG_ID, "k"),
        )
        others = (
            await tx.record(Stone, one.id),
            await tx.record_keyed(Note, uuid4(), "k"),
            await tx.record_keyed(Note, DEFAULT_ORG_ID, ""),
        )

    assert found == (one, one, one)
    assert others == (None, None, None)


async def test_an_owner_has_its_records_newest_first_and_in_pages(store: Store) -> None:
    owner = uuid4()
    notes = [note(str(n), owner_id=owner, at=n) for n in range(5)]

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        for one in notes:
            await tx.put_record(one)
        await tx.put_record(note("of another", owner_id=uuid4()))
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        page = await tx.records(Note, owner, offset=1, limit=2)
        count = await tx.count_records(Note, owner)

    assert [one.text for one in page] == ["3", "2"]
    assert count == 5


async def test_new_records_do_not_move_what_is_older_than_one(store: Store) -> None:
    owner = uuid4()
    notes = [note(str(n), owner_id=owner, at=n // 2) for n in range(6)]

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        for one in notes:
            await tx.put_record(one)
        seen = await tx.records(Note, owner, limit=2)
        await tx.put_record(note("new", owner_id=owner, at=9))
        at = (seen[-1].created_ms, seen[-1].id)
        page = await tx.records_before(Note, owner, at, limit=2)
        at = (page[-1].created_ms, page[-1].id)
        rest = await tx.records_before(Note, owner, at, limit=9)
        others = await tx.records_before(Note, uuid4(), at, limit=9)

    by_age = sorted(notes, key=lambda one: (one.created_ms, one.id), reverse=True)
    assert [*seen, *page, *rest] == by_age
    assert (len(page), list(others)) == (2, [])


async def test_several_are_found_by_their_ids(store: Store) -> None:
    notes = [note(str(n), owner_id=uuid4()) for n in range(3)]

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        for one in notes:
            await tx.put_record(one)
    ids = [notes[0].id, notes[2].id, uuid4()]
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        found = await tx.records_named(Note, ids)
        stones = await tx.records_named(Stone, ids)
    async with store.transaction(OrgId(uuid4())) as tx:
        others = await tx.records_named(Note, ids)

    assert sorted(one.text for one in found) == ["0", "2"]
    assert (list(stones), list(others)) == ([], [])


async def test_all_of_a_kind_are_gone_through_by_id(store: Store) -> None:
    notes = [note(str(n), owner_id=uuid4()) for n in range(5)]

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        for one in reversed(notes):
            await tx.put_record(one)
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        first = await tx.records_after(Note, UUID(int=0), limit=3)
        rest = await tx.records_after(Note, first[-1].id, limit=3)
        stones = await tx.records_after(Stone, UUID(int=0), limit=3)
    async with store.transaction(OrgId(uuid4())) as tx:
        others = await tx.records_after(Note, UUID(int=0), limit=3)

    assert [*first, *rest] == sorted(notes, key=lambda one: one.id)
    assert (len(first), list(stones), list(others)) == (3, [], [])


async def test_a_key_is_one_records_of_an_owner(store: Store) -> None:
    one, owner = note("one", key="k"), uuid4()

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_record(one)
        await tx.put_record(note("elsewhere", key="k", owner_id=owner))
        await tx.put_record(note("without"))
        await tx.put_record(note("without too"))
    with pytest.raises(NameTaken):
        async with store.transaction(DEFAULT_ORG_ID) as tx:
            await tx.put_record(note("two", key="k"))
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_record(note("after", key="free"))
        assert await tx.count_records(Note, DEFAULT_ORG_ID) == 4


async def test_a_record_is_replaced_and_dropped(store: Store) -> None:
    one = note("one", key="k")
    other = Note(
        org_id=one.org_id,
        id=one.id,
        owner_id=one.owner_id,
        key="l",
        text="two",
        created_ms=one.created_ms,
        updated_ms=NOW_MS + 1,
    )

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_record(one)
        await tx.put_record(other)
        read = await tx.record_keyed(Note, DEFAULT_ORG_ID, "l")
        gone = (await tx.drop_record(Note, one.id), await tx.drop_record(Note, one.id))

    assert read == other
    assert gone == (True, False)


async def test_records_of_another_organization_are_neither_seen_nor_made(store: Store) -> None:
    one, other = note("one", key="k"), OrgId(uuid4())

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_record(one)
    async with store.transaction(other) as tx:
        seen = (
            await tx.record(Note, one.id),
            await tx.record_keyed(Note, DEFAULT_ORG_ID, "k"),
            await tx.count_records(Note, DEFAULT_ORG_ID),
            await tx.drop_record(Note, one.id),
        )
    with pytest.raises(MainspringError):
        async with store.transaction(other) as tx:
            await tx.put_record(note("stolen"))

    assert seen == (None, None, 0, False)


async def test_what_an_owner_had_goes_with_it(store: Store) -> None:
    owner, kept = uuid4(), note("kept")
    stone = Stone(
        org_id=DEFAULT_ORG_ID, id=IDS.uuid7(), owner_id=owner, created_ms=NOW_MS, updated_ms=NOW_MS
    )

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        for one in (kept, note("gone", owner_id=owner), stone):
            await tx.put_record(one)
    async with store.transaction(OrgId(uuid4())) as tx:
        await tx.drop_owned(DEFAULT_ORG_ID)
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.drop_owned(owner)
        left = (
            await tx.count_records(Note, owner),
            await tx.count_records(Stone, owner),
            await tx.record(Note, kept.id),
        )

    assert left == (0, 0, kept)


async def test_renewing_raises_what_configurations_rest_on(store: Store) -> None:
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        before = await tx.organization()
        await tx.renew_configurations()
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        after = await tx.organization()

    assert before is not None
    assert after is not None
    assert after.rev == before.rev + 1
