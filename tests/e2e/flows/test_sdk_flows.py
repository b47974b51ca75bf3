"""What users do with the SDK, and each change read back by another call."""

import pytest
from everruns_sdk import Everruns
from everruns_sdk.errors import ApiError, NotFoundError
from everruns_sdk.models import (
    AgentCapabilityConfig,
    ContentPart,
    InitialFile,
    generate_agent_id,
)

from tests.e2e.flows.sdk import OUTCOMES, types, until

pytestmark = [
    pytest.mark.stack,
    pytest.mark.filterwarnings("ignore:Everruns:DeprecationWarning"),
]


async def test_tool_results_that_nobody_waits_for_are_refused(client: Everruns) -> None:
    session = await client.sessions.create()

    with pytest.raises(ApiError) as refused:
        await client.messages.create_tool_results(
            session.id, [ContentPart.make_tool_result("call_x", {})]
        )

    assert refused.value.status_code == 409
    assert "not waiting for tool results" in refused.value.message


async def test_an_agent_with_a_tool_calls_it_and_completes_its_turn(client: Everruns) -> None:
    agent = await client.agents.create(
        "assistant-py", "Help.", capabilities=[AgentCapabilityConfig(ref="current_time")]
    )
    session = await client.sessions.create(agent_id=agent.id)
    await client.messages.create(session.id, "What time is it?")

    seen = await until(client, session.id, OUTCOMES)
    await client.sessions.delete(session.id)
    await client.agents.delete(agent.id)

    assert types(seen)[-1] == "turn.completed"
    assert "tool.completed" in types(seen)
    assert (await client.agents.get(agent.id)).status == "archived"
    with pytest.raises(NotFoundError):
        await client.sessions.get(session.id)


async def test_initial_files_stand_in_the_workspace(client: Everruns) -> None:
    agent = await client.agents.create("files-py", "Read files.")
    session = await client.sessions.create(
        agent_id=agent.id,
        initial_files=[
            InitialFile(path="/workspace/README.md", content="# Hi", encoding="text"),
            InitialFile(path="/workspace/data/x.csv", content="a,b", is_readonly=True),
        ],
    )
    assert session.workspace_id is not None
    file = await client.workspace_files.read(session.workspace_id, "data/x.csv")
    tree = await client.workspace_files.list(session.workspace_id, recursive=True)

    assert (file.content, file.is_readonly) == ("a,b", True)
    assert [one.path for one in tree] == ["/README.md", "/data", "/data/x.csv"]


async def test_the_same_name_again_updates_and_wakes(client: Everruns) -> None:
    first = await client.agents.create("again-py", "One.")
    await client.agents.delete(first.id)
    second = await client.agents.create("again-py", "Two.")

    assert second.id == first.id
    assert (await client.agents.get("again-py")).system_prompt == "Two."
    assert second.status == "active"


async def test_the_same_id_again_updates_the_agent(client: Everruns) -> None:
    id_ = generate_agent_id()

    name = f"applied-{id_[-8:]}"
    await client.agents.apply(id_, name, "One.", tags=["a"])
    await client.agents.apply(id_, name, "Two.", tags=["b"])

    got = await client.agents.get(id_)
    assert (got.system_prompt, got.tags) == ("Two.", ["b"])
    assert id_ in [agent.id for agent in await client.agents.list(search=name)]


async def test_events_are_dense_and_can_be_resumed(client: Everruns) -> None:
    session = await client.sessions.create()
    await client.messages.create(session.id, "Hello")
    seen = await until(client, session.id, OUTCOMES)
    durable = [event for event in seen if event.sequence is not None]
    cut = seen[len(seen) // 2]

    again = await until(client, session.id, OUTCOMES, since_id=cut.id)
    listed = await client.events.list(session.id, after_sequence=0, limit=1000)

    assert again == seen[len(seen) // 2 + 1 :]
    assert [event.sequence for event in listed] == list(range(1, len(listed) + 1))
    assert [event.id for event in durable] == [
        event.id for event in listed if event.sequence in {e.sequence for e in durable}
    ]


async def test_cancel_of_an_idle_session_changes_nothing(client: Everruns) -> None:
    session = await client.sessions.create()

    await client.sessions.cancel(session.id)

    assert (await client.sessions.get(session.id)).status == "started"


async def test_what_is_built_in_is_listed(client: Everruns) -> None:
    models = await client.models.list()
    capabilities = await client.capabilities.list()
    harnesses = await client.harnesses.list()

    assert {"llmsim", "llmsim-latency"} <= {model.model_id for model in models}
    assert "current_time" in [capability.id for capability in capabilities]
    assert (await client.capabilities.get("current_time")).tool_definitions
    assert [one.name for one in harnesses][:2] == ["base", "generic"]
    assert (await client.harnesses.get(harnesses[0].id)).name == "base"


async def test_an_archived_workspace_frees_its_name(
    client: Everruns,
) -> None:
    for _ in range(2):
        workspace = await client.workspaces.create("shared-py")
        files = client.workspace_files
        await files.create(workspace.id, "notes/welcome.md", "# Welcome")
        read = await files.read(workspace.id, "notes/welcome.md")
        await files.update(workspace.id, "notes/welcome.md", "# Changed")
        changed = await files.read(workspace.id, "notes/welcome.md")
        stat = await files.stat(workspace.id, "notes")
        gone = await files.delete(workspace.id, "notes", recursive=True)
        await client.workspaces.delete(workspace.id)

        assert (read.content, changed.content) == ("# Welcome", "# Changed")
        assert stat.is_directory
        assert gone.deleted
