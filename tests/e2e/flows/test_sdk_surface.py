"""Every method of the SDK: each change is read back by another call; what is deleted is gone."""

from collections.abc import Iterator

import pytest
from everruns_sdk import Everruns
from everruns_sdk.errors import ApiError, NotFoundError
from everruns_sdk.models import (
    AgentCapabilityConfig,
    ContentPart,
    Controls,
    InitialFile,
    NetworkAccessList,
    ToolDefinition,
    generate_agent_id,
)

from tests.e2e.flows import surface
from tests.e2e.flows.sdk import OUTCOMES, types, until
from tests.e2e.flows.surface import proves
from tests.e2e.flows.wire import Wire, unique

pytestmark = [
    pytest.mark.stack,
    pytest.mark.filterwarnings("ignore:Everruns:DeprecationWarning"),
]
MISSING = {
    "capabilities.list_guardrail_examples", "capabilities.dry_run_guardrails",
    "sessions.budgets", "sessions.budget_check", "sessions.resume",
    "workspace_files.move_file", "workspace_files.copy_file", "workspace_files.grep",
    "memories.grep_files",
    "budgets.create", "budgets.list", "budgets.get", "budgets.update", "budgets.delete",
    "budgets.top_up", "budgets.ledger", "budgets.check",
    "channel.card", "channel.create_session", "channel.list_sessions", "channel.get_session",
    "channel.send_message", "channel.cancel", "channel.list_events", "channel.stream_events",
    "channel.answer_questions", "channel.submit_tool_approvals", "channel.runtime_token",
    "channel.run",
}  # fmt: skip
"""What the server does not answer yet."""
TIME = AgentCapabilityConfig(ref="current_time", config={})
TOOL = ToolDefinition(
    name="look_up",
    description="Looks up.",
    parameters={"type": "object", "properties": {"what": {"type": "string"}}},
)


@pytest.fixture(autouse=True)
def answered(request: pytest.FixtureRequest) -> Iterator[set[str]]:
    with pytest.MonkeyPatch.context() as patch:
        answered = surface.listen(patch)
        yield answered
    mark = request.node.get_closest_marker("proves")
    claimed = set[str](mark.args) if mark is not None else set[str]()
    assert claimed <= answered, f"not answered: {sorted(claimed - answered)}"


def test_every_method_of_the_sdk_is_proved_or_known_to_be_missing() -> None:
    assert surface.surface() == surface.served | MISSING
    assert not surface.served & MISSING


# ── agents ──────────────────────────────────────────────────────────────────────────────────────


@proves("agents.create", "agents.get", "agents.list", "agents.apply", "agents.delete")
async def test_agents(client: Everruns) -> None:
    name, id_ = unique("agent"), generate_agent_id()
    made = await client.agents.apply(
        id_,
        name,
        "Be brief.",
        display_name="An Agent",
        description="Described",
        tags=["a", "b"],
        capabilities=[TIME],
        tools=[TOOL],
        initial_files=[InitialFile(path="a.txt", content="A", is_readonly=True)],
        harness_name="base",
        parallel_tool_calls=False,
    )
    read = await client.agents.get(id_)
    changed = await client.agents.create(name, "Be long.", tags=["c"])
    listed = await client.agents.list(search=name)
    await client.agents.delete(id_)

    assert read == made
    assert (read.display_name, read.tags, read.parallel_tool_calls) == (
        "An Agent", ["a", "b"], False,
    )  # fmt: skip
    assert read.tools is not None
    assert read.tools[0].parameters == TOOL.parameters
    assert [one.id for one in listed] == [changed.id] == [id_]
    assert listed[0].system_prompt == "Be long."
    assert (await client.agents.get(id_)).status == "archived"
    assert await client.agents.list(search=name) == []


@proves("agents.apply_by_name", "agents.copy")
async def test_agents_by_name_and_copies(client: Everruns) -> None:
    name = unique("named")
    first = await client.agents.apply_by_name(name, "One.", capabilities=[TIME])
    again = await client.agents.apply_by_name(name, "Two.", capabilities=[TIME])
    copies = [await client.agents.copy(first.id) for _ in range(2)]

    assert (again.id, (await client.agents.get(name)).system_prompt) == (first.id, "Two.")
    assert [copy.name for copy in copies] == [f"{name}-copy", f"{name}-copy-2"]
    assert all(copy.capabilities == again.capabilities for copy in copies)
    assert copies[0].forked_from_agent_id == first.id
    with pytest.raises(NotFoundError):
        await client.agents.copy(generate_agent_id())


@proves("agents.import_agent", "agents.export", "agents.import_example")
async def test_agents_as_text(client: Everruns) -> None:
    made = await client.agents.create(
        unique("text"),
        "---\nBe *kind*.\n\n",
        description="Über",
        capabilities=[TIME],
        tools=[TOOL],
        tags=["a: b"],
        initial_files=[InitialFile(path="n.md", content="# N\n")],
    )
    text = await client.agents.export(made.id)
    await client.agents.create(made.name, "Changed.")
    back = await client.agents.import_agent(text)
    example = await client.agents.import_example("dad-jokes")

    left_out = {"updated_at"}
    assert back.model_dump(exclude=left_out) == made.model_dump(exclude=left_out)
    assert await client.agents.export(back.id) == text
    assert (await client.agents.get("dad-jokes")).id == example.id
    with pytest.raises(ApiError) as refused:
        await client.agents.import_agent("---\nname: [\n---\nx")
    assert refused.value.status_code == 422


@proves(
    "agents.create_version",
    "agents.list_versions",
    "agents.diff_versions",
    "agents.rollback_version",
    "agents.fork_version",
    "agents.set_default_version",
)
async def test_agent_versions(client: Everruns) -> None:
    agent = await client.agents.create(unique("versions"), "One.")
    first = await client.agents.create_version(agent.id, change_kind="major", summary="first")
    await client.agents.create(agent.name, "Two.")
    second = await client.agents.create_version(agent.id, change_kind="minor")

    diff = await client.agents.diff_versions(agent.id, first.id, second.id)
    back = await client.agents.rollback_version(agent.id, first.id, summary="back")
    fork = await client.agents.fork_version(agent.id, second.id, name=unique("fork"))
    chosen = await client.agents.set_default_version(agent.id, second.id)
    session = await client.sessions.create(agent_id=agent.id)
    listed = await client.agents.list_versions(agent.id)

    assert [one.version for one in listed] == ["1.1.1", "1.1.0", "1.0.0"]
    assert diff.authored_diff == [{"path": "/system_prompt", "from": "One.", "to": "Two."}]
    assert (back.system_prompt, fork.system_prompt) == ("One.", "Two.")
    assert (await client.agents.get(fork.name)).forked_from_version_id == second.id
    assert chosen.default_version_id == second.id
    assert (await client.sessions.get(session.id)).agent_version_id == second.id


@proves(
    "agents.trigger_health_check",
    "agents.get_health_check",
    "agents.list_health_checks",
    "agents.stats",
)
async def test_agent_health_and_stats(client: Everruns) -> None:
    agent = await client.agents.create(unique("health"), "Answer in a friendly way, whatever.")
    begun = await client.agents.trigger_health_check(agent.id)
    sessions = await client.sessions.list(agent.id)
    for session in sessions:
        await until(client, session.id, OUTCOMES)
    check = await client.agents.get_health_check(agent.id, begun.id)
    listed = await client.agents.list_health_checks(agent.id)
    stats = await client.agents.stats(agent.id)

    assert check.status == "completed"
    assert check.summary is not None
    assert (check.summary.total, check.summary.errored) == (len(sessions), 0)
    assert check.summary.total_output_tokens > 0
    assert listed == [check]
    assert (stats.session_count, stats.execution_count) == (len(sessions), len(sessions))
    assert stats.total_output_tokens == check.summary.total_output_tokens


@proves("agents.analyze")
async def test_agent_analysis(client: Everruns) -> None:
    found = await client.agents.analyze(
        "Use sk-aaaaaaaaaaaaaaaaaaaa.",
        capabilities=[AgentCapabilityConfig(ref="nobody")],
        tools=[{"name": "t"}],
        mcp_servers={"x": {"url": "http://x.test"}},
    )

    assert {one.rule_id for one in found.findings} == {
        "prompt.secret", "capability.unknown_capability", "tool.undescribed", "mcp.plain_http",
    }  # fmt: skip


# ── harnesses ───────────────────────────────────────────────────────────────────────────────────


@proves(
    "harnesses.create",
    "harnesses.get",
    "harnesses.list",
    "harnesses.search",
    "harnesses.update",
    "harnesses.delete",
    "harnesses.list_examples",
)
async def test_harnesses(client: Everruns) -> None:
    name = unique("harness")
    base = await client.harnesses.get("base")
    made = await client.harnesses.create(
        name,
        "Stay on topic.",
        display_name="A Harness",
        capabilities=[TIME],
        network_access=NetworkAccessList(allowed=["a.test"], blocked=["b.test"]),
        parent_harness_id=base.id,
        tags=["x"],
    )
    read = await client.harnesses.get(made.id)
    changed = await client.harnesses.update(made.id, display_name="Another", tags=[])
    heir = await client.harnesses.create(unique("heir"), "Heir.", parent_harness_id=made.id)
    with pytest.raises(ApiError) as circle:
        await client.harnesses.update(made.id, parent_harness_id=heir.id)
    searched = await client.harnesses.search(name)
    await client.harnesses.delete(made.id)

    assert read == made
    assert circle.value.status_code == 409
    assert [one.id for one in searched] == [made.id]
    assert (changed.display_name, changed.tags) == ("Another", [])
    assert (await client.harnesses.get(made.id)).status == "archived"
    assert name not in [one.name for one in await client.harnesses.list()]
    assert "clock" in [one.name for one in await client.harnesses.list_examples()]
    with pytest.raises(ApiError) as refused:
        await client.harnesses.update(base.id, display_name="Mine")
    assert refused.value.status_code == 403


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
async def test_sessions(client: Everruns) -> None:
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
async def test_messages(client: Everruns) -> None:
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
async def test_session_secrets(client: Everruns, wire: Wire) -> None:
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
async def test_connections(client: Everruns) -> None:
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
async def test_memories(client: Everruns) -> None:
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
    "memories.delete_file",
)
async def test_memory_files(client: Everruns) -> None:
    memory = await client.memories.create(unique("files"))
    at, memories = memory.id, client.memories
    await memories.create_dir(at, "facts")
    made = await memories.create_file(at, "facts/a.md", "# Größe")
    read = await memories.read_file(at, "facts/a.md")
    text = await memories.download_file(at, "facts/a.md")
    changed = await memories.update_file(at, "facts/a.md", "AAEC", encoding="base64")
    stat = await memories.stat_file(at, "facts/a.md")
    listed = await memories.list_files(at)
    await memories.delete_file(at, "facts")

    assert (made.path, made.size_bytes) == ("/facts/a.md", 9)
    assert read.content == text == "# Größe"
    assert (changed.content, changed.encoding, stat.size_bytes) == ("AAEC", "base64", 3)
    assert changed.content_hash != read.content_hash
    assert [one.path for one in listed] == ["/facts"]
    with pytest.raises(NotFoundError):
        await memories.read_file(at, "facts/a.md")


# ── what there is to choose from ────────────────────────────────────────────────────────────────


@proves(
    "models.list", "models.get", "capabilities.list", "capabilities.list_page", "capabilities.get"
)
async def test_the_catalogue(client: Everruns) -> None:
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
async def test_workspaces(client: Everruns) -> None:
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
)
async def test_workspace_files(client: Everruns) -> None:
    workspace, files = await client.workspaces.create(unique("files")), client.workspace_files
    at = workspace.id
    await files.create_dir(at, "notes")
    made = await files.create(at, "notes/a.bin", "AAEC", encoding="base64", is_readonly=False)
    read = await files.read(at, "notes/a.bin")
    await files.update(at, "notes/a.bin", "text")
    tree = await files.list(at, recursive=True)
    stat = await files.stat(at, "notes/a.bin")
    gone = await files.delete(at, "notes", recursive=True)

    assert (read, read.content, read.encoding) == (made, "AAEC", "base64")
    assert [one.path for one in tree] == ["/notes", "/notes/a.bin"]
    assert stat.size_bytes == 4
    assert gone.deleted
    with pytest.raises(NotFoundError):
        await files.read(at, "notes/a.bin")
