"""Keys of requests; and one that makes a thing elsewhere: who asks again asks for the same."""

import asyncio
from uuid import UUID, uuid4

import msgspec
import pytest

from mainspring_api.adapters.memory.store import organization_of
from mainspring_api.domain.limits import IDEMPOTENCY_CLAIM_S
from mainspring_api.ports.store import RequestKey, Store
from mainspring_api.usecases.once import Answer, once_under_id
from mainspring_kernel.errors import (
    IdempotencyInProgress,
    IdempotencyMismatch,
    NameTaken,
    Unavailable,
)
from mainspring_kernel.ids import DEFAULT_ORG_ID
from tests.contract.api.conftest import NOW_MS

KEY = RequestKey(route="trigger", key="k", body_hash=b"h")


def key(text: str = "k", *, body: bytes = b"h") -> RequestKey:
    return RequestKey(route="create:1", key=text, body_hash=body)


async def test_a_key_is_claimed_once_and_keeps_its_answer(store: Store) -> None:
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        first = await tx.claim_key(key())
        await tx.keep_answer(key(), status=201, body=b"{}")
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        second = await tx.claim_key(key(body=b"other"))

    assert first is None
    assert second is not None
    assert (second.status, second.body, second.body_hash) == (201, b"{}", b"h")


async def test_a_key_of_a_failed_transaction_is_free_again(store: Store) -> None:
    async def claim_and_fail() -> None:
        async with store.transaction(DEFAULT_ORG_ID) as tx:
            await tx.claim_key(key())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await claim_and_fail()

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        assert await tx.claim_key(key()) is None


async def test_a_concurrent_duplicate_waits_for_the_first(store: Store) -> None:
    order: list[str] = []
    claimed = asyncio.Event()
    go_on = asyncio.Event()

    async def first() -> None:
        async with store.transaction(DEFAULT_ORG_ID) as tx:
            await tx.claim_key(key())
            claimed.set()
            await go_on.wait()
            await tx.keep_answer(key(), status=200, body=b"1")
            order.append("first")

    async def second() -> None:
        await claimed.wait()
        go_on.set()
        async with store.transaction(DEFAULT_ORG_ID) as tx:
            kept = await tx.claim_key(key())
            order.append(f"second saw {kept.body.decode() if kept else 'nothing'}")

    await asyncio.gather(first(), second())

    assert order == ["first", "second saw 1"]


async def test_old_keys_are_forgotten(store: Store) -> None:
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.claim_key(key("old"), age_ms=3_600_000)
        await tx.claim_key(key("young"))

    kept = await store.forget_keys(older_than_ms=7_200_000, limit=10)
    gone = await store.forget_keys(older_than_ms=1_800_000, limit=10)

    assert (kept, gone) == (0, 1)


async def test_a_pass_forgets_no_more_keys_than_it_may(store: Store) -> None:
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        for name in ("a", "b", "c"):
            key = RequestKey(route="r", key=name, body_hash=b"h")
            await tx.claim_key(key, age_ms=7_200_000)

    assert await store.forget_keys(older_than_ms=3_600_000, limit=2) == 2
    assert await store.forget_keys(older_than_ms=3_600_000, limit=2) == 1


async def test_a_key_belongs_to_its_route_and_organization(store: Store) -> None:
    key = RequestKey(route="a", key="k", body_hash=b"h")
    others = [msgspec.structs.replace(key, route="b"), msgspec.structs.replace(key, key="l")]
    elsewhere = organization_of(uuid4(), "elsewhere", NOW_MS)
    await store.create_organization(elsewhere)
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        for one in (key, *others):
            assert await tx.claim_key(one) is None
        await tx.keep_answer(key, status=201, body=b"{}")
    async with store.transaction(elsewhere.id) as tx:
        assert await tx.kept_answer(key) is None
        assert await tx.claim_key(key) is None
        await tx.drop_key(key)

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        kept = [await tx.kept_answer(one) for one in (key, *others)]
        await tx.drop_key(key)
        left = [await tx.kept_answer(one) for one in (key, *others)]

    assert [one.status for one in kept if one] == [201, None, None]
    assert [one is None for one in left] == [True, False, False]


async def test_a_claim_is_as_old_as_the_store_says(store: Store) -> None:
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.claim_key(key("old"), age_ms=3_600_000)
        await tx.claim_key(key("young"))
        old, young = await tx.kept_answer(key("old")), await tx.kept_answer(key("young"))

    assert old is not None
    assert young is not None
    assert old.age_ms >= 3_600_000 > young.age_ms >= 0


class Elsewhere:
    """Makes things by their ids, and answers as often as it is let."""

    def __init__(self, *refusals: Exception | None) -> None:
        self.refusals = list(refusals)
        self.asked: list[UUID] = []

    async def make(self, id_: UUID) -> Answer:
        self.asked.append(id_)
        refusal = self.refusals.pop(0) if self.refusals else None
        if refusal is not None:
            raise refusal
        return Answer(status=201, body=id_.hex.encode())


async def ask(
    store: Store, elsewhere: Elsewhere, number: int, key: RequestKey | None = KEY
) -> Answer:
    return await once_under_id(store, DEFAULT_ORG_ID, key, UUID(int=number), elsewhere.make)


async def time_passes(store: Store, seconds: float) -> None:
    """The claim of the key is older by so much."""
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        kept = await tx.kept_answer(KEY)
        assert kept is not None
        await tx.drop_key(KEY)
        memo = msgspec.structs.replace(KEY, memo=kept.body)
        await tx.claim_key(memo, age_ms=kept.age_ms + round(seconds * 1000))


async def test_the_memo_of_a_claim_is_there_until_the_answer_is(store: Store) -> None:
    claim = msgspec.structs.replace(KEY, memo=b"memo")
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.claim_key(claim)
        at_work = await tx.claim_key(claim)
        await tx.keep_answer(KEY, status=200, body=b"answer")
        done = await tx.claim_key(claim)

    assert at_work is not None
    assert done is not None
    assert (at_work.status, at_work.body) == (None, b"memo")
    assert (done.status, done.body) == (200, b"answer")


async def test_the_first_answer_is_given_again(store: Store) -> None:
    elsewhere = Elsewhere()

    first, again = await ask(store, elsewhere, 1), await ask(store, elsewhere, 2)

    assert first == again
    assert elsewhere.asked == [UUID(int=1)]


async def test_after_an_answer_that_was_lost_the_same_thing_is_asked_for(store: Store) -> None:
    elsewhere = Elsewhere(Unavailable(), Unavailable())
    for number in (1, 2):
        with pytest.raises(Unavailable):
            await ask(store, elsewhere, number)

    answer = await ask(store, elsewhere, 3)

    assert elsewhere.asked == [UUID(int=1)] * 3
    assert answer.body == UUID(int=1).hex.encode()


async def test_after_the_death_of_who_asked_the_same_thing_is_asked_for(store: Store) -> None:
    elsewhere = Elsewhere(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await ask(store, elsewhere, 1)
    await time_passes(store, IDEMPOTENCY_CLAIM_S / 2)
    with pytest.raises(IdempotencyInProgress):
        await ask(store, elsewhere, 2)

    await time_passes(store, IDEMPOTENCY_CLAIM_S)
    await ask(store, elsewhere, 3)

    assert elsewhere.asked == [UUID(int=1)] * 2


async def test_after_a_refusal_another_thing_may_be_asked_for(store: Store) -> None:
    elsewhere = Elsewhere(NameTaken())
    with pytest.raises(NameTaken):
        await ask(store, elsewhere, 1)

    await ask(store, elsewhere, 2)

    assert elsewhere.asked == [UUID(int=1), UUID(int=2)]


async def test_another_body_under_the_key_is_refused(store: Store) -> None:
    elsewhere = Elsewhere()
    await ask(store, elsewhere, 1)

    with pytest.raises(IdempotencyMismatch):
        await ask(store, elsewhere, 2, msgspec.structs.replace(KEY, body_hash=b"other"))


async def test_without_a_key_each_request_is_its_own(store: Store) -> None:
    elsewhere = Elsewhere()
    for number in (1, 2):
        await ask(store, elsewhere, number, None)

    assert elsewhere.asked == [UUID(int=1), UUID(int=2)]
