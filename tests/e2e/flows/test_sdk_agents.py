"""Agents and harnesses by the SDK: each change is read back by another call."""

import pytest
from everruns_sdk import Everruns
from everruns_sdk.errors import ApiError, NotFoundError
from everruns_sdk.models import (
    AgentCapabilityConfig,
    InitialFile,
    NetworkAccessList,
    ToolDefinition,
    generate_agent_id,
)

from tests.e2e.flows.sdk import OUTCOMES, until
from tests.e2e.flows.surface import proves
from tests.e2e.flows.wire import unique

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


# ── agents ──────────────────────────────────────────────────────────────────────────────────────


@proves("agents.create", "agents.get", "agents.list", "agents.apply", "agents.delete")
async def test_an_agent_is_read_as_it_was_written_and_archived(
    client: Everruns,
) -> None:
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
async def test_one_name_is_one_agent_and_copies_get_names_of_their_own(client: Everruns) -> None:
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
async def test_an_exported_agent_is_imported_as_it_was(client: Everruns) -> None:
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
async def test_a_version_is_compared_restored_forked_and_chosen(client: Everruns) -> None:
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
async def test_a_health_check_and_the_stats_count_the_same_sessions(client: Everruns) -> None:
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
async def test_an_analysis_names_what_is_wrong_with_an_agent(client: Everruns) -> None:
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
async def test_a_harness_is_read_as_it_was_written_and_extends_no_heir(
    client: Everruns,
) -> None:
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
