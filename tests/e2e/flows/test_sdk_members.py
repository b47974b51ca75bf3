"""Each mutation of the SDK with every parameter it has, none at its default, read back elsewhere.

A parameter that a new version of the SDK brings fails here until somebody says what it does.
"""

import inspect
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import cast

import pytest
from everruns_sdk import Everruns
from everruns_sdk.errors import NotFoundError
from everruns_sdk.models import (
    AgentCapabilityConfig,
    BudgetPeriod,
    InitialFile,
    NetworkAccessList,
    ToolDefinition,
    generate_agent_id,
)
from pydantic import BaseModel

from mainspring_kernel.ids import LLMSIM_MODEL_ID, Prefix, to_wire
from tests.e2e.flows.wire import Json, Wire, unique

pytestmark = [
    pytest.mark.stack,
    pytest.mark.filterwarnings("ignore:Everruns:DeprecationWarning"),
]
MODEL = to_wire(Prefix.MODEL, LLMSIM_MODEL_ID)
TOOL = ToolDefinition(name="look_up", description="Looks up.", parameters={"type": "object"})
FILE = InitialFile(path="/workspace/a.txt", content="QQ==", encoding="base64", is_readonly=True)
TIME = AgentCapabilityConfig(ref="current_time", config={})
MATH = AgentCapabilityConfig(ref="test_math", config={})
NETWORK = NetworkAccessList(allowed=["a.test"], blocked=["b.test"])
Method = Callable[..., Awaitable[object]]


def words(name: str) -> dict[str, object]:
    """What agents, harnesses and sessions are all told."""
    return {
        "name": name,
        "system_prompt": f"{name} is brief.",
        "display_name": f"The {name}",
        "description": f"About {name}",
        "default_model_id": MODEL,
        "tags": [name, "b"],
        "capabilities": [TIME],
        "initial_files": [FILE],
    }


def told(name: str, harness_id: str) -> dict[str, object]:
    """All of an agent."""
    return words(name) | {"tools": [TOOL], "harness_id": harness_id, "parallel_tool_calls": False}


async def carried(
    method: Method, given: Mapping[str, object], *, but: Collection[str] = ()
) -> dict[str, object]:
    """What the call answers. `but` are other spellings of what is given."""
    assert set(inspect.signature(method).parameters) == given.keys() | set(but)
    return plain(await method(**given))


def plain(answer: object) -> dict[str, object]:
    return cast("BaseModel", answer).model_dump(mode="json", exclude_none=True)


def shows(
    read: Mapping[str, object], given: Mapping[str, object], *, but: Collection[str] = ()
) -> None:
    """Each member that was given is in what was read."""
    for name in given.keys() - set(but):
        assert contains(read[name], dumped(given[name])), (name, read[name])


def dumped(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, list):
        return [dumped(one) for one in cast("list[object]", value)]
    return value


def contains(read: object, given: object) -> bool:
    """A member that was not given may be there too; a path may begin at the workspace's root."""
    if isinstance(given, dict) and isinstance(read, dict):
        there, wanted = cast("Json", read), cast("Json", given)
        return all(contains(there.get(name), value) for name, value in wanted.items())
    if isinstance(given, list) and isinstance(read, list):
        pairs = zip(cast("list[object]", read), cast("list[object]", given), strict=True)
        return all(contains(one, other) for one, other in pairs)
    return read == given or (
        isinstance(given, str) and isinstance(read, str) and given == f"/workspace{read}"
    )


async def gone(method: Method, id_: str) -> None:
    with pytest.raises(NotFoundError):
        await method(id_)


async def test_every_member_of_an_agent_is_kept(client: Everruns, wire: Wire) -> None:
    harness = await client.harnesses.create(unique("house"), "House.")
    one, other = unique("one"), unique("other")
    id_ = generate_agent_id()
    first = told(one, harness.id) | {"id": id_}
    await carried(client.agents.apply, first, but=["harness_name"])
    shows(plain(await client.agents.get(one)), first)

    second = told(one, harness.id) | {"tags": ["c"], "capabilities": [MATH]}
    for method in (client.agents.create, client.agents.apply_by_name):
        changed = await carried(method, second, but=["harness_name"])
        shows(plain(await client.agents.get(id_)), second)
        assert changed["id"] == id_

    version = await client.agents.create_version(id_, change_kind="major", summary="whole")
    listed = await client.agents.list_versions(id_)
    assert [(v.id, v.summary, v.change_kind) for v in listed] == [(version.id, "whole", "major")]
    fork = await carried(
        client.agents.fork_version,
        {
            "agent_id": id_,
            "version_id": version.id,
            "name": other,
            "display_name": "Other",
            "description": "Else",
        },
    )
    read = plain(await client.agents.get(str(fork["id"])))
    assert (read["name"], read["display_name"], read["description"]) == (other, "Other", "Else")

    for agent_id in (id_, str(fork["id"])):
        await client.agents.delete(agent_id)
        await wire.ask("POST", f"/agents/{agent_id}/delete")
        await gone(client.agents.get, agent_id)


async def test_every_member_of_a_harness_is_kept(client: Everruns, wire: Wire) -> None:
    parent = await client.harnesses.create(unique("parent"), "Parent.")
    given = words(unique("made")) | {"network_access": NETWORK, "parent_harness_id": parent.id}
    made = await carried(client.harnesses.create, given)
    id_ = str(made["id"])
    shows(plain(await client.harnesses.get(id_)), given)

    changes = words(unique("changed")) | {
        "capabilities": [MATH],
        "network_access": NetworkAccessList(allowed=["c.test"], blocked=[]),
        "parent_harness_id": None,
        "status": "archived",
    }
    await carried(client.harnesses.update, changes | {"id": id_})
    read = plain(await client.harnesses.get(id_))
    shows(read, changes, but=["parent_harness_id"])
    assert read["parent_harness_id"] == parent.id  # the SDK leaves out what is None

    await wire.ask("POST", f"/harnesses/{id_}/delete")
    await gone(client.harnesses.get, id_)


async def test_every_member_of_a_session_is_kept(client: Everruns) -> None:
    harness = await client.harnesses.create(unique("ground"), "Ground.")
    agent = await client.agents.create(unique("agent"), "Agent.")
    common = {
        "title": unique("title"),
        "locale": "uk-UA",
        "model_id": MODEL,
        "parallel_tool_calls": False,
        "tags": ["a", "b"],
        "capabilities": [TIME],
        "tools": [TOOL],
        "initial_files": [FILE],
    }
    by_id = {"harness_id": harness.id, "agent_id": agent.id}
    by_name = {"harness_name": harness.name, "agent_name": agent.name}

    for given, others in ((by_id, by_name), (by_name, by_id)):
        made = await carried(client.sessions.create, common | given, but=others)
        read = plain(await client.sessions.get(str(made["id"])))
        shows(read, common | by_id)
        workspace = str(read["workspace_id"])
        file = await client.workspace_files.read(workspace, "a.txt")
        assert (file.content, file.is_readonly) == ("A", True)
        await client.sessions.delete(str(made["id"]))
        await gone(client.sessions.get, str(made["id"]))


async def test_every_member_of_a_workspace_and_a_memory_is_kept(client: Everruns) -> None:
    at = {"name": unique("space"), "description": "Described"}
    space = await carried(client.workspaces.create, at)
    id_ = str(space["id"])
    shows(plain(await client.workspaces.get(id_)), at)
    changed = {"name": unique("moved"), "description": "Otherwise", "status": "archived"}
    await carried(client.workspaces.update, changed | {"workspace_id": id_})
    shows(plain(await client.workspaces.get(id_)), changed)

    source = {"url": "https://git.test/a.git"}
    given = {"name": unique("memory"), "description": "Described", "source": source}
    memory = await carried(client.memories.create, given)
    id_ = str(memory["id"])
    read = plain(await client.memories.get(id_))
    shows(read, given)
    assert read["source_type"] == "git"
    again = {"name": unique("again"), "description": "Else", "source": {"repository": "a/b"}}
    await carried(client.memories.update, again | {"memory_id": id_})
    shows(plain(await client.memories.get(id_)), again)


async def test_every_member_of_a_budget_is_kept(client: Everruns) -> None:
    session = await client.sessions.create()
    given: dict[str, object] = {
        "subject_type": "session",
        "subject_id": session.id,
        "currency": "tokens",
        "limit": 1000,
        "soft_limit": 700,
        "period": {"type": "rolling", "window": "5h"},
        "metadata": {"for": "tests"},
    }
    made = await carried(client.budgets.create, given)
    id_ = str(made["id"])
    shows(plain(await client.budgets.get(id_)), given)
    assert isinstance((await client.budgets.get(id_)).period, BudgetPeriod)

    changes: dict[str, object] = {
        "limit": 2000,
        "soft_limit": 900,
        "status": "paused",
        "metadata": {"by": "tests"},
    }
    await carried(client.budgets.update, changes | {"budget_id": id_})
    shows(plain(await client.budgets.get(id_)), changes)
    topped = {"budget_id": id_, "amount": 50, "description": "more"}
    await carried(client.budgets.top_up, topped)
    newest = (await client.budgets.ledger(id_, limit=1))[0]
    assert (newest.amount, newest.description) == (50, "more")

    await client.budgets.delete(id_)
    await gone(client.budgets.get, id_)
