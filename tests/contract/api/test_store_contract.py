"""Both stores answer alike."""

from uuid import UUID, uuid4

import msgspec
import pytest

from mainspring_api.adapters.memory.store import organization_of
from mainspring_api.adapters.postgres.store import PostgresStore
from mainspring_api.domain.resources import (
    Agent,
    File,
    Harness,
    Session,
    Tier,
    Workspace,
)
from mainspring_api.ports.store import Listed, Store
from mainspring_kernel.clock import SystemClock
from mainspring_kernel.errors import Conflict, MainspringError, NameTaken
from mainspring_kernel.ids import (
    DEFAULT_ORG_ID,
    AgentId,
    HarnessId,
    OrgId,
    RandomIds,
    SessionId,
    TaskId,
    WorkspaceId,
)
from mainspring_kernel.limits import CLOCK_DRIFT_MS_MAX
from mainspring_postgres import Database, Options, Query
from mainspring_schema.grants import ForkEvent, ForkHead, OpenHead
from mainspring_testkit import fixtures
from tests.contract.api.conftest import NOW_MS, Grants

IDS = RandomIds(SystemClock())


def new_agent(name: str = "helper", **more: object) -> Agent:
    agent = Agent(
        org_id=DEFAULT_ORG_ID,
        id=AgentId(IDS.uuid7()),
        name=name,
        harness_id=HarnessId(uuid4()),
        tier=Tier(system_prompt="Be kind."),
        created_ms=NOW_MS,
        updated_ms=NOW_MS,
    )
    return msgspec.structs.replace(agent, **more)


def new_harness(name: str, parent: HarnessId | None = None) -> Harness:
    return Harness(
        org_id=DEFAULT_ORG_ID,
        id=HarnessId(IDS.uuid7()),
        name=name,
        parent_id=parent,
        tier=Tier(),
        created_ms=NOW_MS,
        updated_ms=NOW_MS,
    )


def new_session(**more: object) -> Session:
    id_ = IDS.uuid7()
    session = Session(
        org_id=DEFAULT_ORG_ID,
        id=SessionId(id_),
        workspace_id=WorkspaceId(id_),
        harness_id=HarnessId(uuid4()),
        tier=Tier(tags=("a",)),
        created_ms=NOW_MS,
        updated_ms=NOW_MS,
    )
    return msgspec.structs.replace(session, **more)


def opening(session: Session, behind_ms: int = 0) -> OpenHead:
    head = OpenHead(
        session_id=session.id,
        org_id=session.org_id,
        type="session.started",
        ts_ms=0,
        payload=b'{"context":{},"data":{}}',
        hash=b"",
    )
    return head.at(SystemClock().wall_ms() - behind_ms)


async def test_what_was_put_is_read_back(store: Store) -> None:
    agent, harness, session = new_agent(), new_harness("h"), new_session(title="T")

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_agent(agent)
        await tx.put_harness(harness)
        await tx.put_session(session)
        await tx.open_log(opening(session))
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        found = (
            await tx.agent(agent.id),
            await tx.agent_named("helper", lock=True),
            await tx.harness(harness.id),
            await tx.session(session.id),
        )

    assert found == (agent, agent, harness, session)


async def opened_together(store: Store, *opened: Session) -> None:
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        for session in opened:
            await tx.open_log(opening(session))


async def test_a_log_is_told_of_once_it_is_committed(store: Store, heard: list[OpenHead]) -> None:
    made, undone = new_session(), new_session()

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_session(made)
        await tx.open_log(told := opening(made))
        assert not heard
    # The second one has a log already, so the first is undone with it.
    with pytest.raises(Conflict):
        await opened_together(store, undone, made)

    assert heard == [told]


@pytest.mark.parametrize("behind_ms", [-600_000, 600_000])
async def test_a_session_begins_at_the_stores_time_whatever_its_callers_clock_says(
    store: Store, heard: list[OpenHead], behind_ms: int
) -> None:
    asked = opening(new_session(), behind_ms)

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.open_log(asked)

    (begun,) = heard
    assert abs(begun.ts_ms - asked.ts_ms) > CLOCK_DRIFT_MS_MAX
    assert begun == asked.at(begun.ts_ms), "the hash is of its time"


@pytest.mark.parametrize("behind_ms", [-600_000, 600_000])
async def test_a_fork_begins_at_the_stores_time_whatever_its_callers_clock_says(
    store: Store, database: fixtures.Database | None, grants: Grants, behind_ms: int
) -> None:
    source, now_ms = new_session(), SystemClock().wall_ms()
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.open_log(opening(source))
    fork = ForkHead(
        session_id=new_session().id,
        org_id=source.org_id,
        source_id=source.id,
        seq=1,
        turn_first_seq=2,
        now_ms=now_ms - behind_ms,
        events=(ForkEvent(type="session.forked", turn_id=None, payload=b"{}"),),
    )

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.fork_log(fork)

    if database is None:
        began_ms = grants.forked[0].now_ms
    else:
        where = f"session_id = '{fork.session_id}'"
        began_ms = int(database.sql(f"select ts_ms from log.event where {where}"))
    assert abs(began_ms - now_ms) < abs(behind_ms) / 2


async def test_another_organization_sees_nothing(store: Store) -> None:
    agent, session = new_agent(), new_session()
    other = organization_of(uuid4(), "other", NOW_MS)
    await store.create_organization(other)

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_agent(agent)
        await tx.put_session(session)
    async with store.transaction(other.id) as tx:
        found = (
            await tx.agent(agent.id),
            await tx.agents(Listed()),
            await tx.session(session.id),
            await tx.begin_delete(session.id),
        )

    assert found == (None, ([], 0), None, False)
    assert await store.basis(other.id, session.id) is None


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
async def test_a_connection_is_of_no_organization_once_its_transaction_is_over(
    database: fixtures.Database,
) -> None:
    options = Options(
        url=database.url("api_run"),
        application_name="test",
        durability_required=False,
        connections_max=1,
    )
    opened = await Database.open(options)
    store = PostgresStore(opened)
    asked = Query(
        name="asked",
        purpose="Whose rows may be seen.",
        sql="select coalesce(current_setting('mainspring.org_id', true), '')",
    )

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        assert await tx.organization() is not None
    after_a_transaction = await opened.fetchval_as(str, asked)
    await store.basis(DEFAULT_ORG_ID, new_session().id)
    after_a_statement = await opened.fetchval_as(str, asked)
    await opened.close()

    assert (after_a_transaction, after_a_statement) == ("", "")


async def test_a_transaction_writes_only_for_its_own_organization(store: Store) -> None:
    other = organization_of(uuid4(), "other", NOW_MS)
    await store.create_organization(other)
    foreign = new_agent(org_id=OrgId(uuid4()))

    with pytest.raises(MainspringError):
        async with store.transaction(other.id) as tx:
            await tx.put_agent(foreign)


async def test_a_failed_transaction_leaves_nothing(store: Store) -> None:
    agent = new_agent()

    async def put_and_fail() -> None:
        async with store.transaction(DEFAULT_ORG_ID) as tx:
            await tx.put_agent(agent)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await put_and_fail()

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        assert await tx.agent(agent.id) is None


async def test_a_name_belongs_to_one_agent(store: Store) -> None:
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_agent(new_agent("taken"))

    with pytest.raises(NameTaken):
        async with store.transaction(DEFAULT_ORG_ID) as tx:
            await tx.put_agent(new_agent("taken"))


async def test_agents_are_listed_newest_first_by_words(store: Store) -> None:
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        for index, name in enumerate(("weather-one", "weather-two", "other")):
            await tx.put_agent(new_agent(name, created_ms=NOW_MS + index))
        await tx.put_agent(new_agent("weather-old", status="archived", archived_ms=NOW_MS))
        found, total = await tx.agents(Listed(tokens=("weather",), limit=1))
        everything, _ = await tx.agents(Listed(tokens=("weather",), include_archived=True))

    assert ([agent.name for agent in found], total) == (["weather-two"], 2)
    assert len(everything) == 3


def new_file(workspace_id: WorkspaceId, path: str, content: bytes | None = b"x") -> File:
    return File(
        org_id=DEFAULT_ORG_ID,
        workspace_id=workspace_id,
        path=path,
        id=IDS.uuid7(),
        size_bytes=len(content or b""),
        content=content,
        created_ms=NOW_MS,
        updated_ms=NOW_MS,
    )


async def test_files_are_listed_without_and_read_with_content(store: Store) -> None:
    workspace = WorkspaceId(IDS.uuid7())
    files = [new_file(workspace, "/b", b"\x00b"), new_file(workspace, "/a")]

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_files(files)
        listed = await tx.files(workspace)
        read = await tx.file(workspace, "/b")
        removed = await tx.remove_files(workspace, ["/a", "/nowhere"])

    assert [(file.path, file.content) for file in listed] == [("/a", None), ("/b", None)]
    assert read == files[0]
    assert removed == 1


async def test_an_archived_workspace_frees_its_name(store: Store) -> None:
    def workspace() -> Workspace:
        return Workspace(
            org_id=DEFAULT_ORG_ID,
            id=WorkspaceId(IDS.uuid7()),
            name="w",
            created_ms=NOW_MS,
            updated_ms=NOW_MS,
        )

    first = workspace()
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_workspace(first)
        await tx.put_workspace(
            msgspec.structs.replace(first, status="archived", archived_ms=NOW_MS)
        )
        await tx.put_workspace(workspace())
        named = await tx.workspace_named("w")

    assert named is not None
    assert named.id != first.id


async def test_a_task_nobody_holds_gives_no_organization(store: Store) -> None:
    assert await store.held_org(TaskId(UUID(int=5)), 1) is None


async def test_organizations_are_listed_by_pages_oldest_first(store: Store) -> None:
    made = [organization_of(IDS.uuid7(), f"org {n}", NOW_MS) for n in range(3)]
    for one in made:
        await store.create_organization(one)

    everything, total = await store.organizations(offset=0, limit=10)
    second, _ = await store.organizations(offset=1, limit=2)
    behind, still = await store.organizations(offset=9, limit=2)

    assert [one.id for one in everything] == [DEFAULT_ORG_ID, *(one.id for one in made)]
    assert everything[1:] == made
    assert list(second) == made[:2]
    assert (total, list(behind), still) == (4, [], 4)


async def test_organizations_are_known_or_not(store: Store) -> None:
    assert await store.organization_exists(DEFAULT_ORG_ID)
    assert not await store.organization_exists(OrgId(uuid4()))
