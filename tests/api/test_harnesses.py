"""Harnesses that inherit from each other, copies of the built-in ones, and what is deleted."""

import asyncio

import httpx

from tests.api.test_resources import V1, made_agent, made_session

Json = dict[str, object]


async def made(client: httpx.AsyncClient, name: str, **fields: object) -> Json:
    answer = await client.post(f"{V1}/harnesses", json={"name": name, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def inherits(client: httpx.AsyncClient, heir: Json, parent: Json) -> httpx.Response:
    body = {"parent_harness_id": parent["id"]}
    return await client.patch(f"{V1}/harnesses/{heir['id']}", json=body)


async def test_no_harness_inherits_from_itself_over_however_many(client: httpx.AsyncClient) -> None:
    first = await made(client, "first")
    second = await made(client, "second", parent_harness_id=first["id"])
    third = await made(client, "third", parent_harness_id=second["id"])

    for parent in (first, second, third):
        refused = await inherits(client, first, parent)
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert (await client.get(f"{V1}/harnesses/{first['id']}")).json() == first
    assert (await made_session(client, harness_id=third["id"]))["harness_id"] == third["id"]


async def test_of_two_changes_at_once_one_closes_no_circle(client: httpx.AsyncClient) -> None:
    one, other = await made(client, "one"), await made(client, "other")

    answers = await asyncio.gather(inherits(client, one, other), inherits(client, other, one))

    assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_a_parent_by_which_an_heir_would_inherit_too_deep_is_refused(
    client: httpx.AsyncClient,
) -> None:
    top = [await made(client, "top-0")]
    low = [await made(client, "low-0")]
    for number in range(1, 5):
        top.append(await made(client, f"top-{number}", parent_harness_id=top[-1]["id"]))
        low.append(await made(client, f"low-{number}", parent_harness_id=low[-1]["id"]))

    refused = await inherits(client, low[0], top[-1])
    taken = await inherits(client, low[0], top[-2])

    assert (refused.status_code, taken.status_code) == (409, 200)
    assert (await made_session(client, harness_id=low[-1]["id"]))["status"] == "started"


async def test_a_copy_of_a_built_in_harness_can_be_changed(client: httpx.AsyncClient) -> None:
    built_in = (await client.get(f"{V1}/harnesses/workbench")).json()

    copy = (await client.post(f"{V1}/harnesses/workbench/copy")).json()
    changed = await client.patch(f"{V1}/harnesses/{copy['id']}", json={"system_prompt": "Mine."})

    own = {"id", "name", "is_built_in", "created_at", "updated_at"}
    assert {key: copy[key] for key in copy.keys() - own} == {
        key: built_in[key] for key in built_in.keys() - own
    }
    assert (built_in["is_built_in"], copy["is_built_in"]) == (True, False)
    assert changed.status_code == 200
    assert (await client.get(f"{V1}/harnesses/{copy['id']}")).json()["system_prompt"] == "Mine."
    assert (await client.get(f"{V1}/harnesses/workbench")).json() == built_in


async def test_an_archived_harness_is_deleted_once_nobody_names_it(
    client: httpx.AsyncClient,
) -> None:
    harness = await made(client, "ground", system_prompt="Ground.")
    at = f"{V1}/harnesses/{harness['id']}"
    agent = await made_agent(client, harness_id=harness["id"])
    session = await made_session(client, agent_id=agent["id"])

    early = await client.post(f"{at}/delete")
    await client.delete(at)
    named = await client.post(f"{at}/delete")
    await client.patch(
        f"{V1}/agents/{agent['id']}", json={"harness_id": None, "harness_name": "base"}
    )
    gone = await client.post(f"{at}/delete")
    preview = await client.get(f"{V1}/sessions/{session['id']}/preview")

    assert (early.status_code, named.status_code) == (409, 409)
    assert "1 agents and harnesses name" in named.json()["detail"]
    assert (gone.status_code, gone.json()["status"]) == (200, "deleted")
    assert (
        (await client.get(at)).status_code == (await client.post(f"{at}/delete")).status_code == 404
    )
    assert (await made(client, "ground"))["id"] != harness["id"]
    assert "Ground." in preview.json()["system_prompt"]
    assert (await client.post(f"{V1}/harnesses/base/delete")).status_code == 403


async def test_no_session_begins_with_an_archived_harness_but_agents_that_name_it_go_on(
    client: httpx.AsyncClient,
) -> None:
    harness = await made(client, "ground", system_prompt="Ground.")
    agent = await made_agent(client, harness_id=harness["id"])
    await client.delete(f"{V1}/harnesses/{harness['id']}")

    by_id = await client.post(f"{V1}/sessions", json={"harness_id": harness["id"]})
    by_name = await client.post(f"{V1}/sessions", json={"harness_name": "ground"})
    session = await made_session(client, agent_id=agent["id"])

    for refused in (by_id, by_name):
        assert (refused.status_code, refused.json()["code"]) == (422, "validation_failed")
        assert refused.json()["detail"] == "the harness is archived"
    assert session["harness_id"] == harness["id"]


async def test_an_archived_agent_is_deleted_and_its_sessions_go_on(
    client: httpx.AsyncClient,
) -> None:
    agent = await made_agent(client, system_prompt="Agent.")
    at = f"{V1}/agents/{agent['id']}"
    session = await made_session(client, agent_id=agent["id"])

    early = await client.post(f"{at}/delete")
    await client.delete(at)
    gone = await client.post(f"{at}/delete")
    preview = await client.get(f"{V1}/sessions/{session['id']}/preview")
    moved = await client.post(f"{V1}/sessions/{session['id']}/migration", json={})
    listed = await client.get(f"{V1}/agents", params={"include_archived": True})

    assert (early.status_code, gone.status_code, gone.json()["status"]) == (409, 200, "deleted")
    assert (await client.get(at)).status_code == 404
    assert (await client.post(f"{V1}/sessions", json={"agent_id": agent["id"]})).status_code == 404
    assert str(agent["id"]) not in listed.text
    assert "Agent." in preview.json()["system_prompt"]
    assert moved.status_code == 404
    assert (await made_agent(client, name=agent["name"]))["id"] != agent["id"]
