"""Replicas that forget at one moment: what one has in hand, no other one waits for."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeAlias

import pytest

from mainspring_api.adapters.postgres.store import PostgresStore
from mainspring_api.ports.store import RequestKey
from mainspring_kernel.ids import DEFAULT_ORG_ID, SessionId
from mainspring_postgres import Database, Options, Query
from mainspring_testkit.fixtures import Database as OwnDatabase
from tests.contract.api import test_forked_files as files
from tests.contract.api import test_forked_records as records

Forget: TypeAlias = Callable[[PostgresStore], Awaitable[int]]


@pytest.fixture
async def databases(database: OwnDatabase) -> AsyncIterator[tuple[Database, Database]]:
    """The superuser's, and the service's, which gives up where it has to wait for a lock."""
    async with AsyncExitStack() as stack:
        opened: list[Database] = []
        for role in (None, "api_run"):
            options = Options(
                url=database.url(role),
                application_name="test",
                durability_required=False,
                lock_timeout_ms=200,
            )
            opened.append(await Database.open(options))
            stack.push_async_callback(opened[-1].close)
        yield opened[0], opened[1]


async def keys(store: PostgresStore) -> int:
    return await store.forget_keys(older_than_ms=-1000, limit=9)


async def past_files(store: PostgresStore) -> int:
    return await store.forget_file_past(before_ms=files.later(), limit=9)


async def past_records(store: PostgresStore) -> int:
    return await store.forget_record_past(before_ms=files.later(), limit=9)


@pytest.mark.parametrize(
    ("table", "forget"),
    [("request_key", keys), ("file_past", past_files), ("record_past", past_records)],
)
async def test_what_another_replica_forgets_is_not_waited_for(
    databases: tuple[Database, Database], table: str, forget: Forget
) -> None:
    owner, service = databases
    store = PostgresStore(service)
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.claim_key(RequestKey(route="r", key="k", body_hash=b"h"))
    workspace, owner_id = files.new_id(), SessionId(files.new_id())
    for content in ("1", "2"):
        await files.write(store, workspace, a=content.encode())
        await records.put(store, owner_id, a=content)

    async with owner.transaction() as tx:
        locked = Query(name="t", purpose="Test.", sql=f"select from api.{table} for update")
        assert len(await tx.fetch(locked)) == 1
        beside = await forget(store)

    assert (beside, await forget(store)) == (0, 1)
