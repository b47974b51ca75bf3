"""All else by the SDK: each change is read back by another call, and what is deleted is gone."""

import pytest
from everruns_sdk import Everruns
from everruns_sdk.errors import NotFoundError
from everruns_sdk.models import (
    AgentCapabilityConfig,
    ContentPart,
    Controls,
    ToolDefinition,
)

from tests.e2e.flows.sdk import OUTCOMES, types, until
from tests.e2e.flows.surface import proves
from tests.e2e.flows.wire import Wire, unique

pytestmark = [
    pytest.mark.stack,
    pytest.mark.filterwarnings("ignore:Everruns:DeprecationWarning"),
]
TIME = AgentCapabilityConfig(ref="current_time", config={})
TOOL = ToolDefinition(
    name="look_up",
    description="Looks up.",
    parameters={"type": "object", "properties": {"what": {"type": "string"}}},
)


# ── sessions ────────────────────────────────────────────────────────────────────────────────────


@proves(
    "sessions.create",
    "sessions.get",
    "sessions.list",
    "sessions.pin",
    "sessions.unpin",
    "sessions.cancel",
    "sessions.delete",
)
async def test_a_session_is_read_as_it_was_made_pinned_listed_and_deleted(client: Everruns) -> None:
    agent = await client.agents.create(unique("owner"), "Help.")
    title = unique("title")
    made = await client.sessions.create(
        agent_id=agent.id,
        title=title,
        locale="uk-UA",
        tags=["t"],
        capabilities=[TIME],
        tools=[TOOL],
        parallel_tool_calls=False,
    )
    read = await client.sessions.get(made.id)
    await client.sessions.pin(made.id)
    pinned = (await client.sessions.get(made.id)).is_pinned
    await client.sessions.unpin(made.id)
    listed = await client.sessions.list(agent.id, search=title)
    await client.sessions.cancel(made.id)
    await client.sessions.delete(made.id)

    assert read == made
    assert (read.title, read.locale, read.tags) == (title, "uk-UA", ["t"])
    assert pinned is True
    assert [(one.id, one.is_pinned) for one in listed] == [(made.id, False)]
    assert await client.sessions.list(agent.id) == []
    with pytest.raises(NotFoundError):
        await client.sessions.get(made.id)


@proves(
    "messages.create",
    "messages.list",
    "messages.create_tool_results",
    "events.list",
    "events.stream",
    "sessions.export",
)
async def test_messages_results_and_events_of_a_turn_are_read_back(client: Everruns) -> None:
    session = await client.sessions.create(tools=[TOOL])
    sent = await client.messages.create(
        session.id, "Look up this", controls=Controls(locale="uk-UA")
    )
    seen = await until(client, session.id, {"tool.call_requested"})
    (call,) = seen[-1].tool_calls()
    result = ContentPart.make_tool_result(call.id, {"found": True})
    receipt = await client.messages.create_tool_results(session.id, [result])
    await until(client, session.id, OUTCOMES, since_id=seen[-1].id)

    messages = await client.messages.list(session.id)
    exported = (await client.sessions.export(session.id)).splitlines()
    events = await client.events.list(session.id, types=["input.message", "tool.completed"])

    assert receipt.accepted == 1
    assert [one.role for one in messages] == ["user", "agent", "tool_result", "agent"]
    assert messages[0] == sent
    assert len(exported) == len(messages)
    assert types(events) == ["input.message", "tool.completed"]


@proves("sessions.set_secrets")
async def test_secrets_of_a_session_are_listed_by_name_alone(client: Everruns, wire: Wire) -> None:
    session = await client.sessions.create()
    at = f"/sessions/{session.id}/storage/secrets"
    await client.sessions.set_secrets(session.id, {"TOKEN": "hush-hush", "OTHER": "x"})
    await client.sessions.set_secrets(session.id, {"TOKEN": "hush-again"})
    listed = await wire.ask("GET", at)
    gone = await wire.ask("DELETE", f"{at}/TOKEN")
    again = await wire.ask("DELETE", f"{at}/TOKEN")

    assert [one["name"] for one in listed.json()["data"]] == ["OTHER", "TOKEN"]
    assert "hush" not in listed.text
    assert (gone.status_code, again.status_code) == (204, 404)
    with pytest.raises(NotFoundError):
        await client.sessions.set_secrets("session_" + "0" * 32, {"A": "b"})


@proves("connections.set", "connections.list", "connections.remove")
async def test_a_connection_is_replaced_and_removed_under_its_name(client: Everruns) -> None:
    name = unique("daytona")
    made = await client.connections.set(name, "key-1")
    changed = await client.connections.set(name, "key-2")
    listed = await client.connections.list()
    await client.connections.remove(name)

    assert changed.created_at == made.created_at
    assert changed in listed
    assert name not in [one.provider for one in await client.connections.list()]
    with pytest.raises(NotFoundError):
        await client.connections.remove(name)


# ── memories ────────────────────────────────────────────────────────────────────────────────────


@proves(
    "memories.create",
    "memories.get",
    "memories.list",
    "memories.update",
    "memories.sync",
    "memories.delete",
)
async def test_an_archived_memory_frees_its_name(client: Everruns) -> None:
    name = unique("memory")
    for _ in range(2):  # a name is free again
        made = await client.memories.create(name, description="Described")
        read = await client.memories.get(made.id)
        synced = await client.memories.sync(made.id)
        changed = await client.memories.update(made.id, description="Otherwise")
        listed = await client.memories.list(search=name)
        await client.memories.delete(made.id)

        assert read == synced == made
        assert (changed.name, changed.description) == (name, "Otherwise")
        assert listed == [changed]
    archived = await client.memories.list(search=name, include_archived=True)
    assert [one.status for one in archived] == ["archived", "archived"]
    with pytest.raises(NotFoundError):
        await client.memories.get("mem_" + "0" * 32)


@proves(
    "memories.create_file",
    "memories.create_dir",
    "memories.list_files",
    "memories.read_file",
    "memories.download_file",
    "memories.update_file",
    "memories.stat_file",
    "memories.grep_files",
    "memories.delete_file",
)
async def test_files_of_a_memory_are_read_as_they_were_written(client: Everruns) -> None:
    memory = await client.memories.create(unique("files"))
    at, memories = memory.id, client.memories
    await memories.create_dir(at, "facts")
    made = await memories.create_file(at, "facts/a.md", "# Größe")
    read = await memories.read_file(at, "facts/a.md")
    text = await memories.download_file(at, "facts/a.md")
    found = await memories.grep_files(at, "^# Gr")
    changed = await memories.update_file(at, "facts/a.md", "AAEC", encoding="base64")
    stat = await memories.stat_file(at, "facts/a.md")
    listed = await memories.list_files(at)
    await memories.delete_file(at, "facts")

    assert (made.path, made.size_bytes) == ("/facts/a.md", 9)
    assert read.content == text == "# Größe"
    assert (changed.content, changed.encoding, stat.size_bytes) == ("AAEC", "base64", 3)
    assert [(one.path, one.size_bytes) for one in found] == [("/facts/a.md", 9)]
    assert changed.content_hash != read.content_hash
    assert [one.path for one in listed] == ["/facts"]
    with pytest.raises(NotFoundError):
        await memories.read_file(at, "facts/a.md")


# ── what there is to choose from ────────────────────────────────────────────────────────────────


@proves(
    "models.list", "models.get", "capabilities.list", "capabilities.list_page", "capabilities.get"
)
async def test_models_and_capabilities_are_listed_and_found_by_id(client: Everruns) -> None:
    models = await client.models.list()
    page = await client.capabilities.list_page(search="time", limit=1)
    capabilities = await client.capabilities.list()

    assert await client.models.get(models[0].id) == models[0]
    assert (page.limit, len(page.data)) == (1, 1)
    (known,) = [one for one in capabilities if one.id == "current_time"]
    assert await client.capabilities.get("current_time") == known


# ── workspaces ──────────────────────────────────────────────────────────────────────────────────


@proves(
    "workspaces.create",
    "workspaces.get",
    "workspaces.list",
    "workspaces.update",
    "workspaces.delete",
)
async def test_an_archived_workspace_leaves_the_list(client: Everruns) -> None:
    name = unique("workspace")
    made = await client.workspaces.create(name, description="Described")
    read = await client.workspaces.get(made.id)
    changed = await client.workspaces.update(made.id, description="Otherwise")
    listed = await client.workspaces.list(search=name)
    await client.workspaces.delete(made.id)

    assert read == made
    assert (changed.name, changed.description) == (name, "Otherwise")
    assert listed == [changed]
    assert await client.workspaces.list(search=name) == []
    archived = await client.workspaces.list(search=name, include_archived=True)
    assert [one.status for one in archived] == ["archived"]


@proves(
    "workspace_files.create",
    "workspace_files.create_dir",
    "workspace_files.list",
    "workspace_files.read",
    "workspace_files.update",
    "workspace_files.stat",
    "workspace_files.delete",
    "workspace_files.move_file",
    "workspace_files.copy_file",
    "workspace_files.grep",
)
async def test_files_of_a_workspace_are_read_moved_copied_and_found(client: Everruns) -> None:
    workspace, files = await client.workspaces.create(unique("files")), client.workspace_files
    at = workspace.id
    await files.create_dir(at, "notes")
    made = await files.create(at, "notes/a.bin", "AAEC", encoding="base64", is_readonly=False)
    read = await files.read(at, "notes/a.bin")
    await files.update(at, "notes/a.bin", "text")
    tree = await files.list(at, recursive=True)
    stat = await files.stat(at, "notes/a.bin")
    copied = await files.copy_file(at, "/notes/a.bin", "/notes/b.txt")
    moved = await files.move_file(at, "/notes/b.txt", "/notes/deep/c.txt")
    found = await files.grep(at, "tex.", path_pattern="*.txt")
    gone = await files.delete(at, "notes", recursive=True)

    assert (read, read.content, read.encoding) == (made, "AAEC", "base64")
    assert [one.path for one in tree] == ["/notes", "/notes/a.bin"]
    assert stat.size_bytes == 4
    assert (copied.path, moved.path) == ("/notes/b.txt", "/notes/deep/c.txt")
    assert [(one.path, [hit.line for hit in one.matches]) for one in found] == [
        ("/notes/deep/c.txt", ["text"])
    ]
    assert gone.deleted
    with pytest.raises(NotFoundError):
        await files.read(at, "notes/a.bin")
