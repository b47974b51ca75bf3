"""Versions of agents, what sessions keep of them, and how they migrate."""

from typing import cast

import httpx

from tests.api.backend import Backend
from tests.api.test_resources import V1, made_agent, made_session, message

Json = dict[str, object]


async def saved(client: httpx.AsyncClient, agent: Json, kind: str = "manual") -> Json:
    answer = await client.post(
        f"{V1}/agents/{agent['id']}/versions", json={"change_kind": kind, "summary": kind}
    )
    assert answer.status_code == 201, answer.text
    return cast("Json", answer.json())


async def say(client: httpx.AsyncClient, agent: Json, prompt: str) -> None:
    answer = await client.patch(f"{V1}/agents/{agent['id']}", json={"system_prompt": prompt})
    assert answer.status_code == 200, answer.text


async def test_numbers_rise_by_what_changed(client: httpx.AsyncClient) -> None:
    agent = await made_agent(client)

    made = [await saved(client, agent, kind) for kind in ("major", "patch", "minor", "major")]
    listed = (await client.get(f"{V1}/agents/{agent['id']}/versions")).json()

    assert [one["version"] for one in made] == ["1.0.0", "1.0.1", "1.1.0", "2.0.0"]
    assert [one["id"] for one in listed] == [one["id"] for one in reversed(made)]
    assert made[1]["parent_version_id"] == made[0]["id"]


async def test_a_diff_names_the_members_that_differ(client: httpx.AsyncClient) -> None:
    agent = await made_agent(client, system_prompt="Old.")
    before = await saved(client, agent)
    await say(client, agent, "New.")
    after = await saved(client, agent)

    path = f"{V1}/agents/{agent['id']}/versions/{before['id']}/diff/{after['id']}"
    diff = (await client.get(path)).json()

    changed = {"path": "/system_prompt", "from": "Old.", "to": "New."}
    assert diff["authored_diff"] == [changed]
    assert [one["path"] for one in diff["resolved_diff"]] == ["/system_prompt"]


async def test_a_rollback_loses_nothing(client: httpx.AsyncClient) -> None:
    agent = await made_agent(client, system_prompt="Old.")
    first = await saved(client, agent)
    await say(client, agent, "Unsaved.")

    path = f"{V1}/agents/{agent['id']}/versions"
    back = (await client.post(f"{path}/{first['id']}/rollback", json={"summary": "back"})).json()
    listed = (await client.get(path)).json()

    assert back["system_prompt"] == "Old."
    assert [one["change_kind"] for one in listed] == ["rollback", "auto", "manual"]
    assert listed[0]["source_version_id"] == first["id"]
    assert listed[1]["authored_config"]["system_prompt"] == "Unsaved."


async def test_a_fork_begins_where_the_version_stands(client: httpx.AsyncClient) -> None:
    agent = await made_agent(client, system_prompt="Old.")
    version = await saved(client, agent)
    await say(client, agent, "New.")

    path = f"{V1}/agents/{agent['id']}/versions/{version['id']}/fork"
    fork = (await client.post(path, json={"name": "a-fork"})).json()
    taken = await client.post(path, json={"name": "a-fork"})

    assert fork["system_prompt"] == "Old."
    assert fork["forked_from_agent_id"] == fork["root_agent_id"] == agent["id"]
    assert fork["forked_from_version_id"] == version["id"]
    assert taken.status_code == 409


async def test_an_agent_takes_no_name_that_another_one_has(client: httpx.AsyncClient) -> None:
    agent, other = await made_agent(client), await made_agent(client, name="another")

    taken = await client.patch(f"{V1}/agents/{agent['id']}", json={"name": "another"})
    own = await client.patch(f"{V1}/agents/{other['id']}", json={"name": "another"})

    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")
    assert own.status_code == 200


async def test_a_version_of_another_agent_is_not_found(client: httpx.AsyncClient) -> None:
    agent = await made_agent(client)
    other = await made_agent(client, name="another")
    version = await saved(client, other)

    at = f"{V1}/agents/{agent['id']}/versions/{version['id']}"
    statuses = [
        (await client.get(at)).status_code,
        (await client.post(f"{at}/rollback", json={})).status_code,
        (await client.post(f"{at}/fork", json={"name": "x"})).status_code,
    ]

    assert statuses == [404, 404, 404]


async def test_new_sessions_get_the_default_version(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    agent = await made_agent(client, system_prompt="Old.")
    version = await saved(client, agent)
    await say(client, agent, "New.")
    path = f"{V1}/agents/{agent['id']}/versions/default"
    await client.post(path, json={"version_id": version["id"]})

    session = await made_session(client, agent_id=agent["id"])
    await client.post(f"{V1}/sessions/{session['id']}/messages", json=message("hi"))

    assert session["agent_version_id"] == version["id"]
    (submitted,) = backend.submits
    assert submitted.config is not None
    assert b"Old." in submitted.config


async def test_a_session_keeps_its_agent_until_it_migrates(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    agent = await made_agent(client, system_prompt="Old.")
    session = await made_session(client, agent_id=agent["id"])
    at = f"{V1}/sessions/{session['id']}"

    await client.post(f"{at}/messages", json=message("one"))
    await say(client, agent, "New.")
    await client.post(f"{at}/messages", json=message("two"))
    shown = (await client.get(f"{at}/migration")).json()
    await client.post(f"{at}/messages", json=message("three"))
    done = (await client.post(f"{at}/migration", json={})).json()
    await client.post(f"{at}/messages", json=message("four"))

    hashes = [one.config_hash for one in backend.submits]
    assert hashes[0] == hashes[1] == hashes[2] != hashes[3]
    assert shown["changes"] == done["changes"]
    (change,) = shown["changes"]
    assert (change["path"], change["from"][-4:], change["to"][-4:]) == (
        "/system_prompt", "Old.", "New.",
    )  # fmt: skip
    assert (await client.get(f"{at}/migration")).json()["changes"] == []


async def test_a_session_can_be_made_on_a_version(client: httpx.AsyncClient) -> None:
    agent = await made_agent(client, system_prompt="Old.")
    version = await saved(client, agent)
    await say(client, agent, "New.")

    session = await made_session(client, agent_id=agent["id"], agent_version_id=version["id"])
    preview = (await client.get(f"{V1}/sessions/{session['id']}/preview")).json()

    assert "Old." in preview["system_prompt"]


async def test_a_patch_of_a_session_leaves_what_it_keeps(client: httpx.AsyncClient) -> None:
    agent = await made_agent(client, system_prompt="Old.")
    session = await made_session(client, agent_id=agent["id"])
    await say(client, agent, "New.")

    await client.patch(f"{V1}/sessions/{session['id']}", json={"system_prompt": "Mine."})
    preview = (await client.get(f"{V1}/sessions/{session['id']}/preview")).json()

    assert "Old.\n\nMine." in preview["system_prompt"]
