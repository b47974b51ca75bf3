"""What a session rests on, how it goes, and who may change it beside others."""

import asyncio

import msgspec
import pytest

from mainspring_api.domain.resources import Basis, encode_tier
from mainspring_api.ports.store import Store, Transaction
from mainspring_kernel.ids import DEFAULT_ORG_ID
from tests.contract.api.conftest import Waits
from tests.contract.api.test_store_contract import (
    new_agent,
    new_file,
    new_harness,
    new_session,
)


async def test_the_basis_holds_every_revision(store: Store) -> None:
    parent = new_harness("parent")
    harness = new_harness("child", parent.id)
    agent = new_agent(rev=4)
    session = new_session(harness_id=harness.id, agent_id=agent.id)
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_harness(parent)
        await tx.put_harness(harness)
        await tx.put_agent(agent)
        await tx.put_session(session)
    before = await store.basis(DEFAULT_ORG_ID, session.id)

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_harness(msgspec.structs.replace(parent, rev=2))
    after = await store.basis(DEFAULT_ORG_ID, session.id)

    assert before == Basis(
        tier=encode_tier(session.tier),
        org_id=DEFAULT_ORG_ID,
        org_rev=1,
        harness_id=harness.id,
        harness_rev=before.harness_rev if before else 0,
        agent_id=agent.id,
        agent_rev=4,
    )
    assert before is not None
    assert after is not None
    assert after.harness_rev == before.harness_rev + 1


async def test_the_basis_is_of_its_own_agent_and_harness_among_many(store: Store) -> None:
    agents = [new_agent(f"a{rev}", rev=rev) for rev in (3, 5, 7)]
    harnesses = [new_harness(name) for name in ("x", "y")]
    session = new_session(harness_id=harnesses[1].id, agent_id=agents[1].id)
    bare = new_session()
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        for agent in agents:
            await tx.put_agent(agent)
        for harness in harnesses:
            await tx.put_harness(harness)
        await tx.put_harness(harnesses[0])
        expected = await tx.harness(harnesses[1].id)
        await tx.put_session(session)
        await tx.put_session(bare)

    found = await store.basis(DEFAULT_ORG_ID, session.id)
    of_bare = await store.basis(DEFAULT_ORG_ID, bare.id)

    assert found is not None
    assert of_bare is not None
    assert expected is not None
    assert (found.agent_id, found.agent_rev) == (agents[1].id, 5)
    assert (found.harness_id, found.harness_rev) == (harnesses[1].id, expected.rev)
    assert (of_bare.agent_id, of_bare.agent_rev, of_bare.harness_rev) == (None, 0, 0)


async def test_a_session_whose_deletion_has_begun_rests_on_nothing(store: Store) -> None:
    session, other = new_session(), new_session()
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_session(session)
        await tx.put_session(other)

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.begin_delete(session.id)

    assert await store.basis(DEFAULT_ORG_ID, session.id) is None
    assert await store.basis(DEFAULT_ORG_ID, other.id) is not None


async def test_a_begun_delete_hides_and_is_found_until_it_ends(store: Store) -> None:
    session = new_session()
    file = new_file(session.workspace_id, "/a")
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_session(session)
        await tx.put_files([file])

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        begun = await tx.begin_delete(session.id)
        again = await tx.begin_delete(session.id)
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        hidden = await tx.session(session.id) or await tx.session(session.id, lock=True)
    unfinished = await store.unfinished_deletes(older_than_ms=0, limit=5)
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.finish_delete(session.id)
        gone = await tx.begin_delete(session.id)
        files = await tx.files(session.workspace_id)

    assert (begun, again, hidden, gone, list(files)) == (True, True, None, False, [])
    assert [one.session_id for one in unfinished] == [session.id]
    assert await store.unfinished_deletes(older_than_ms=0, limit=5) == []


async def test_a_deletion_that_was_put_off_comes_behind_the_others(store: Store) -> None:
    first, second = new_session(), new_session()
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        for session in (first, second):
            await tx.put_session(session)
            await tx.begin_delete(session.id)
    while len(await store.unfinished_deletes(older_than_ms=1, limit=5)) < 2:
        pass

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_off_delete(first.id)

    unfinished = await store.unfinished_deletes(older_than_ms=0, limit=5)
    assert [one.session_id for one in unfinished] == [second.id, first.id]


async def test_unfinished_deletions_are_told_a_few_at_a_time(store: Store) -> None:
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        for session in [new_session() for _ in range(3)]:
            await tx.put_session(session)
            await tx.begin_delete(session.id)

    assert len(await store.unfinished_deletes(older_than_ms=0, limit=2)) == 2
    assert len(await store.unfinished_deletes(older_than_ms=0, limit=9)) == 3
    assert len(await store.unfinished_deletes(older_than_ms=60_000, limit=9)) == 0


async def test_putting_off_begins_no_deletion(store: Store) -> None:
    session = new_session()
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_session(session)
        await tx.put_off_delete(session.id)

        assert await tx.session(session.id) == session


@pytest.mark.parametrize("what", ["agent", "agent_named", "session"])
async def test_whoever_changes_a_row_by_what_it_was_comes_in_one_by_one(
    store: Store, waits: Waits, what: str
) -> None:
    """Each raises its revision by one, having read it with a lock."""
    agent, session = new_agent("a"), new_session()
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_agent(agent)
        await tx.put_session(session)

    async def raise_rev(tx: Transaction) -> None:
        if what == "session":
            of_session = await tx.session(session.id, lock=True)
            assert of_session is not None
            await tx.put_session(msgspec.structs.replace(of_session, rev=of_session.rev + 1))
            return
        named = what == "agent_named"
        found = await (tx.agent_named("a", lock=True) if named else tx.agent(agent.id, lock=True))
        assert found is not None
        await tx.put_agent(msgspec.structs.replace(found, rev=found.rev + 1))

    async def alone() -> None:
        async with store.transaction(DEFAULT_ORG_ID) as tx:
            await raise_rev(tx)

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await raise_rev(tx)
        other = asyncio.ensure_future(alone())
        await waits(other)
    await other

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        rows = (await tx.agent(agent.id), await tx.session(session.id))
    assert sorted(row.rev for row in rows if row) == [1, 3]
