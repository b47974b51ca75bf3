"""What is listed, by words and in which order: both stores read letters alike."""

from uuid import uuid4

import pytest

from mainspring_api.domain.naming import tokens
from mainspring_api.domain.resources import (
    Agent,
    File,
    Harness,
    Session,
    Tier,
    Workspace,
)
from mainspring_api.ports.store import Listed, Store, Transaction
from mainspring_kernel.ids import DEFAULT_ORG_ID, AgentId, HarnessId, SessionId, WorkspaceId
from tests.contract.api.conftest import NOW_MS


@pytest.mark.parametrize(
    ("text", "search"),
    [
        ("ΟΔΟΣ Ερμού", "ΟΔΟΣ"),
        ("ΟΔΟΣ Ερμού", "οδος ΕΡΜΟΎ"),
        ("οδοσήμανση", "ΟΔΟΣ"),
        ("İstanbul", "İSTANBUL"),
        ("Große Straße", "STRAẞE"),
        ("100% a_b", "A_B %"),
        ("it's back\\slashed", "\\SLASHED IT'S"),
    ],
)
async def test_a_text_is_found_by_its_words_whatever_their_case(
    store: Store, text: str, search: str
) -> None:
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await put_all(tx, text)
        await put_all(tx, "another")
        found = await found_by(tx, search)

    assert found == [text] * 4


async def test_a_letter_that_only_looks_alike_is_another(store: Store) -> None:
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await put_all(tx, "café 5_3")
        found = [await found_by(tx, search) for search in ("cafe", "5%3", "STRASSE")]

    assert found == [[], [], []]


async def test_lists_have_one_order_of_letters_wherever_they_are_kept(store: Store) -> None:
    """Byte by byte, whatever the locale of the database."""
    names = ["0-b", "0b", "a", "a-a", "aa"]
    paths = ["/B", "/_", "/a", "/a-b", "/a.b", "/a/b", "/ab", "/z", "/é"]
    workspace_id = WorkspaceId(uuid4())
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        for name in reversed(names):
            id_ = HarnessId(uuid4())
            await tx.put_harness(
                Harness(
                    org_id=DEFAULT_ORG_ID,
                    id=id_,
                    name=name,
                    tier=Tier(),
                    created_ms=NOW_MS,
                    updated_ms=NOW_MS,
                )
            )
        files = [
            File(
                org_id=DEFAULT_ORG_ID,
                workspace_id=workspace_id,
                path=path,
                id=uuid4(),
                created_ms=NOW_MS,
                updated_ms=NOW_MS,
            )
            for path in reversed(paths)
        ]
        await tx.put_files(files)
        harnesses = await tx.harnesses(Listed())
        listed = await tx.files(workspace_id)
        read = await tx.files_at(workspace_id, paths)

    assert [harness.name for harness in harnesses] == names
    assert [file.path for file in listed] == [file.path for file in read] == paths


async def put_all(tx: Transaction, text: str) -> None:
    """One of each kind that says the text where people may write any."""
    id_, name = uuid4(), f"of-{uuid4().hex}"
    org_id, harness_id = DEFAULT_ORG_ID, HarnessId(id_)
    await tx.put_harness(
        Harness(
            org_id=org_id,
            id=harness_id,
            name=name,
            description=text,
            tier=Tier(),
            created_ms=NOW_MS,
            updated_ms=NOW_MS,
        )
    )
    await tx.put_agent(
        Agent(
            org_id=org_id, id=AgentId(id_), name=name, display_name=text, harness_id=harness_id,
            tier=Tier(), created_ms=NOW_MS, updated_ms=NOW_MS,
        )
    )  # fmt: skip
    await tx.put_session(
        Session(
            org_id=org_id, id=SessionId(id_), workspace_id=WorkspaceId(id_), title=text,
            harness_id=harness_id, tier=Tier(), created_ms=NOW_MS, updated_ms=NOW_MS,
        )
    )  # fmt: skip
    await tx.put_workspace(
        Workspace(
            org_id=org_id, id=WorkspaceId(id_), name=text, created_ms=NOW_MS, updated_ms=NOW_MS
        )
    )


async def found_by(tx: Transaction, search: str) -> list[str | None]:
    listed = Listed(tokens=tokens(search))
    harnesses = await tx.harnesses(listed)
    agents, agents_total = await tx.agents(listed)
    sessions, sessions_total = await tx.sessions(listed)
    workspaces = await tx.workspaces(listed)
    assert (agents_total, sessions_total) == (len(agents), len(sessions))
    return [
        *(harness.description for harness in harnesses),
        *(agent.display_name for agent in agents),
        *(session.title for session in sessions),
        *(workspace.name for workspace in workspaces),
    ]
