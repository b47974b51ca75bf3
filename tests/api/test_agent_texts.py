"""Agents as text over the wire: what is exported in any form is the same agent when imported."""

import httpx
import pytest

from tests.api.test_resources import V1, made_agent

Json = dict[str, object]
MEDIA = {"markdown": "text/markdown", "yaml": "application/yaml", "json": "application/json"}


@pytest.mark.parametrize("form", MEDIA)
async def test_what_is_exported_is_read_back_as_the_same_agent(
    client: httpx.AsyncClient, form: str
) -> None:
    agent = await made_agent(
        client,
        system_prompt="---\nBe *kind*: always.\n\n",
        description="Über",
        capabilities=[{"ref": "ask_user", "config": {"timeout_seconds": 60}}],
        tools=[{"type": "client_side", "name": "look_up", "description": "Looks: up."}],
        initial_files=[{"path": "/n.md", "content": "# N\n"}],
        mcpServers={"docs": {"url": "https://docs.test/mcp"}},
        network_access={"allowed": ["a.test"], "blocked": []},
        max_iterations=7,
        tags=["a: b", "2026-01-01"],
    )
    at = f"{V1}/agents/{agent['id']}"

    text = await client.get(f"{at}/export", params={"format": form})
    await client.patch(at, json={"system_prompt": "Changed.", "tags": []})
    headers = {"Content-Type": "text/plain"}
    back = await client.post(f"{V1}/agents/import", content=text.content, headers=headers)
    again = await client.get(f"{at}/export", params={"format": form})

    assert text.headers["content-type"].startswith(MEDIA[form])
    assert back.status_code == 200, back.text
    assert without_time(back.json()) == without_time(agent)
    assert again.content == text.content


@pytest.mark.parametrize(
    ("texts", "names"),
    [
        (["Count.", "Sing."], ["imported-agent", "imported-agent-2"]),
        (["# Role\nCount.", "# Role\nSing."], ["role", "role-2"]),
    ],
)
async def test_a_prompt_without_a_name_becomes_an_agent_of_its_own(
    client: httpx.AsyncClient, texts: list[str], names: list[str]
) -> None:
    headers = {"Content-Type": "text/plain"}

    made = [
        await client.post(f"{V1}/agents/import", content=text, headers=headers) for text in texts
    ]
    first = await client.get(f"{V1}/agents/{made[0].json()['id']}")

    assert [reply.status_code for reply in made] == [201, 201]
    assert [reply.json()["name"] for reply in made] == names
    assert [reply.json()["system_prompt"] for reply in made] == texts
    assert first.json() == made[0].json()


async def test_an_unknown_form_is_refused(client: httpx.AsyncClient) -> None:
    agent = await made_agent(client)

    refused = await client.get(f"{V1}/agents/{agent['id']}/export", params={"format": "toml"})

    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_parameter")


def without_time(agent: Json) -> Json:
    return {key: value for key, value in agent.items() if key != "updated_at"}
