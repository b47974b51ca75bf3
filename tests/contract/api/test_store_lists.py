"""What a list of rows leaves out, in what order it has the others, and how many it counts."""

from collections.abc import Sequence
from typing import TypeAlias, cast
from uuid import uuid4

import msgspec
import pytest

from mainspring_api.adapters.memory.store import organization_of
from mainspring_api.domain.resources import Agent, Harness, Workspace
from mainspring_api.ports.store import Listed, Store, Transaction
from mainspring_kernel.ids import DEFAULT_ORG_ID, AgentId, OrgId, WorkspaceId
from mainspring_testkit import fixtures
from tests.contract.api.conftest import NOW_MS
from tests.contract.api.test_store_contract import IDS, new_agent, new_harness, new_session

Row: TypeAlias = Harness | Agent | Workspace

ALL = Listed(include_archived=True, limit=100)


@pytest.fixture(params=["memory", "postgres"])
def database(request: pytest.FixtureRequest) -> fixtures.Database | None:
    """One for all tests here: each has an organization of its own."""
    if cast("str", request.param) == "memory":
        return None
    return cast("fixtures.Database", request.getfixturevalue("module_database"))


@pytest.fixture
async def org(store: Store) -> OrgId:
    made = organization_of(uuid4(), f"org {uuid4()}", NOW_MS)
    await store.create_organization(made)
    return made.id


class Kind:
    """Rows of one kind, however their reads and writes are called."""

    def __init__(self, row: Row, org: OrgId) -> None:
        self.row = row
        self.org = org

    def new(self, name: str, **more: object) -> Row:
        id_ = IDS.uuid7()
        return msgspec.structs.replace(self.row, id=id_, org_id=self.org, name=name, **more)

    async def put(self, tx: Transaction, *rows: Row) -> None:
        for row in rows:
            match row:
                case Harness():
                    await tx.put_harness(row)
                case Agent():
                    await tx.put_agent(row)
                case Workspace():
                    await tx.put_workspace(row)

    async def by_id(self, tx: Transaction, row: Row) -> Row | None:
        match row:
            case Harness():
                return await tx.harness(row.id)
            case Agent():
                found = await tx.agent(row.id)
                assert await tx.agent(row.id, lock=True) == found
                return found
            case Workspace():
                return await tx.workspace(row.id)

    async def by_name(self, tx: Transaction, name: str) -> Row | None:
        match self.row:
            case Harness():
                return await tx.harness_named(name)
            case Agent():
                found = await tx.agent_named(name)
                assert await tx.agent_named(name, lock=True) == found
                return found
            case Workspace():
                return await tx.workspace_named(name)

    async def list(self, tx: Transaction, listed: Listed) -> list[str]:
        rows: Sequence[Row]
        match self.row:
            case Harness():
                rows = await tx.harnesses(listed)
            case Agent():
                rows, total = await tx.agents(listed)
                assert total == len(rows)
            case Workspace():
                rows = await tx.workspaces(listed)
        return [row.name for row in rows]


WORKSPACE = Workspace(
    org_id=DEFAULT_ORG_ID,
    id=WorkspaceId(IDS.uuid7()),
    name="w",
    created_ms=NOW_MS,
    updated_ms=NOW_MS,
)


@pytest.fixture(params=[new_harness("h"), new_agent("a"), WORKSPACE], ids=lambda row: row.name)
def kind(request: pytest.FixtureRequest, org: OrgId) -> Kind:
    return Kind(cast("Row", request.param), org)


async def test_what_is_deleted_is_found_by_nothing_and_frees_its_name(
    store: Store, org: OrgId, kind: Kind
) -> None:
    gone = kind.new("one")
    again, other = kind.new("one"), kind.new("two")
    async with store.transaction(org) as tx:
        await kind.put(tx, gone)
        await kind.put(tx, msgspec.structs.replace(gone, status="deleted"), again, other)

    async with store.transaction(org) as tx:
        assert await kind.by_id(tx, gone) is None
        assert await kind.by_id(tx, again) == again
        assert await kind.by_name(tx, "one") == again
        assert sorted(await kind.list(tx, ALL)) == ["one", "two"]


async def test_archived_ones_are_listed_where_they_are_asked_for(
    store: Store, org: OrgId, kind: Kind
) -> None:
    async with store.transaction(org) as tx:
        await kind.put(tx, kind.new("here"), kind.new("away", status="archived"))
        await kind.put(tx, kind.new("gone", status="deleted"))

        assert await kind.list(tx, Listed()) == ["here"]
        assert sorted(await kind.list(tx, ALL)) == ["away", "here"]


async def test_all_words_of_a_search_are_somewhere_in_what_people_wrote(
    store: Store, org: OrgId, kind: Kind
) -> None:
    async with store.transaction(org) as tx:
        await kind.put(tx, kind.new("rain", description="For WET days"), kind.new("sun"))

        async def found(*words: str) -> Sequence[str]:
            return await kind.list(tx, Listed(tokens=words))

        assert await found("ain") == await found("wet") == await found("rain", "days") == ["rain"]
        assert await found("rain", "sun") == await found("nfor") == []


async def test_a_display_name_is_searched_too(store: Store, org: OrgId) -> None:
    async with store.transaction(org) as tx:
        await tx.put_agent(new_agent("a", org_id=org, display_name="Weather"))
        await tx.put_harness(
            msgspec.structs.replace(new_harness("h"), org_id=org, display_name="Weather")
        )
        wanted = Listed(tokens=("weather",))

        assert (await tx.agents(wanted))[1] == len(await tx.harnesses(wanted)) == 1


async def test_harnesses_come_by_name_and_the_others_newest_first(
    store: Store, org: OrgId, kind: Kind
) -> None:
    rows = [kind.new(name, created_ms=NOW_MS + at) for at, name in enumerate("bca")]
    async with store.transaction(org) as tx:
        await kind.put(tx, *rows)

        expected = ["a", "b", "c"] if isinstance(kind.row, Harness) else ["a", "c", "b"]
        assert await kind.list(tx, ALL) == expected


async def test_a_change_of_one_is_of_no_other(store: Store, org: OrgId, kind: Kind) -> None:
    one, other = kind.new("one"), kind.new("other")
    changed = msgspec.structs.replace(one, name="changed", description="D", updated_ms=NOW_MS + 1)
    async with store.transaction(org) as tx:
        await kind.put(tx, one, other, changed)

        assert await kind.by_id(tx, one) == changed
        assert await kind.by_id(tx, other) == other


async def test_rows_of_another_organization_are_not_listed(
    store: Store, org: OrgId, kind: Kind
) -> None:
    elsewhere = organization_of(uuid4(), f"org {uuid4()}", NOW_MS)
    await store.create_organization(elsewhere)
    async with store.transaction(org) as tx:
        await kind.put(tx, mine := kind.new("mine"))

    async with store.transaction(elsewhere.id) as tx:
        assert await kind.list(tx, ALL) == []
        assert await kind.by_name(tx, "mine") is None
        assert await kind.by_id(tx, mine) is None
        await kind.put(tx, msgspec.structs.replace(kind.new("mine"), org_id=elsewhere.id))


async def test_sessions_are_narrowed_by_agent_and_words_and_counted(
    store: Store, org: OrgId
) -> None:
    agent = AgentId(uuid4())
    titles = ["Rain today", "Sun", "rain too", None, "Rain of another", "Rain that goes"]
    rows = [
        new_session(
            org_id=org, title=title, created_ms=NOW_MS + at, agent_id=None if at == 4 else agent
        )
        for at, title in enumerate(titles)
    ]
    async with store.transaction(org) as tx:
        for row in rows:
            await tx.put_session(row)
        await tx.begin_delete(rows[5].id)

    async def found(
        *words: str, agent_id: AgentId | None = None, offset: int = 0
    ) -> tuple[list[int], int]:
        listed = Listed(tokens=words, offset=offset, limit=2)
        async with store.transaction(org) as tx:
            page, total = await tx.sessions(listed, agent_id=agent_id)
        return [rows.index(row) for row in page], total

    assert await found() == ([4, 3], 5)
    assert await found(offset=2) == ([2, 1], 5)
    assert await found("rain") == ([4, 2], 3)
    assert await found("rain", "to") == ([2, 0], 2)
    assert await found("rain", agent_id=agent) == ([2, 0], 2)
    assert await found(agent_id=AgentId(uuid4())) == ([], 0)


async def test_a_change_of_a_harness_is_one_of_all_its_heirs_and_of_no_other(
    store: Store, org: OrgId
) -> None:
    root, other = new_harness("root"), new_harness("other")
    child = new_harness("child", root.id)
    grandchild, stranger = new_harness("grandchild", child.id), new_harness("s", other.id)
    rows = [
        msgspec.structs.replace(row, org_id=org)
        for row in (root, other, child, grandchild, stranger)
    ]
    async with store.transaction(org) as tx:
        for row in rows:
            await tx.put_harness(row)
        await tx.put_harness(msgspec.structs.replace(rows[0], rev=2))

        found = [await tx.harness(row.id) for row in rows]

    assert [row.rev for row in found if row] == [2, 1, 2, 2, 1]
