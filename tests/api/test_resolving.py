"""Every folded value knows who said it."""

from typing import cast

import httpx

from tests.api.test_resources import V1, made_agent, made_session

Json = dict[str, object]
LOOK_UP: Json = {"type": "client_side", "name": "look_up", "description": "Looks up."}


def who(said: object) -> list[str]:
    return [str(one["origin"]["tier"]) for one in cast("list[dict[str, Json]]", said)]


async def test_each_value_names_its_tier(client: httpx.AsyncClient) -> None:
    harness = (
        await client.post(
            f"{V1}/harnesses",
            json={
                "name": "ground",
                "system_prompt": "Ground.",
                "max_iterations": 7,
                "network_access": {"allowed": ["*.a.test"], "blocked": []},
                "mcpServers": {"docs": {"url": "https://docs.test"}},
                "initial_files": [{"path": "/a", "content": "a"}],
            },
        )
    ).json()
    agent = await made_agent(
        client,
        system_prompt="Agent.",
        harness_id=harness["id"],
        capabilities=[{"ref": "current_time"}],
        tools=[LOOK_UP],
        network_access={"allowed": ["x.a.test"], "blocked": ["b.test"]},
    )
    session = await made_session(
        client, agent_id=agent["id"], parallel_tool_calls=False, tools=[LOOK_UP]
    )

    resolved = (await client.get(f"{V1}/sessions/{session['id']}/resolve")).json()

    assert [one["value"] for one in resolved["prompts"]] == ["Ground.", "Agent."]
    assert resolved["prompts"][0]["origin"]["name"] == "ground"
    assert resolved["prompts"][1]["origin"]["id"] == agent["id"]
    assert who(resolved["capabilities"]) == ["agent"]
    assert who(resolved["tools"]) == ["session"]
    assert who(resolved["initial_files"]) == who(resolved["mcpServers"]) == ["harness"]
    assert who(resolved["network_access"]["rules"]) == ["harness", "agent"]
    assert resolved["network_access"]["value"] == {"allowed": ["x.a.test"], "blocked": ["b.test"]}
    assert (resolved["max_iterations"]["value"], who([resolved["max_iterations"]])) == (
        7, ["harness"],
    )  # fmt: skip
    assert who([resolved["parallel_tool_calls"], resolved["model_id"]]) == ["session", "default"]


async def test_an_agent_is_resolved_in_its_default_version(client: httpx.AsyncClient) -> None:
    agent = await made_agent(client, system_prompt="Old.")
    at = f"{V1}/agents/{agent['id']}"
    version = (await client.post(f"{at}/versions", json={})).json()
    await client.post(f"{at}/versions/default", json={"version_id": version["id"]})
    await client.patch(at, json={"system_prompt": "New."})

    resolved = (await client.get(f"{at}/resolve")).json()

    assert [one["value"] for one in resolved["prompts"]][-1] == "Old."
    assert (await client.get(f"{V1}/agents/nobody/resolve")).status_code == 404
