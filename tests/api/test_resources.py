import asyncio

import httpx
import pytest
from everruns_sdk.models import Session, TokenUsage

from mainspring_kernel.ids import Prefix, from_wire
from tests.api.backend import Backend

V1 = "/api/v1"
Json = dict[str, object]


async def made_agent(client: httpx.AsyncClient, **more: object) -> dict[str, object]:
    body = {"name": "helper", "system_prompt": "Be kind."} | more
    answer = await client.post(f"{V1}/agents", json=body)
    assert answer.status_code in {200, 201}, answer.text
    return answer.json()


async def made_session(client: httpx.AsyncClient, **body: object) -> dict[str, object]:
    answer = await client.post(f"{V1}/sessions", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_an_agent_is_read_back_by_id_and_by_name(client: httpx.AsyncClient) -> None:
    agent = await made_agent(client, capabilities=[{"ref": "current_time"}], tags=["a"])

    by_id = (await client.get(f"{V1}/agents/{agent['id']}")).json()
    by_name = (await client.get(f"{V1}/agents/helper")).json()

    assert by_id == by_name == agent
    assert agent["capabilities"] == [{"ref": "current_time"}]


async def test_creating_the_same_name_again_updates_and_wakes(client: httpx.AsyncClient) -> None:
    first = await made_agent(client)
    gone = await client.delete(f"{V1}/agents/{first['id']}")
    again = await client.post(f"{V1}/agents", json={"name": "helper", "system_prompt": "Be brief."})

    assert gone.status_code == 204
    assert again.status_code == 200
    assert again.json()["id"] == first["id"]
    assert again.json()["status"] == "active"
    assert again.json()["system_prompt"] == "Be brief."


async def test_a_client_made_id_creates_then_updates(client: httpx.AsyncClient) -> None:
    id_ = "agent_" + "ab" * 16

    first = await client.post(
        f"{V1}/agents", json={"id": id_, "name": "mine", "system_prompt": "1"}
    )
    second = await client.post(
        f"{V1}/agents", json={"id": id_, "name": "renamed", "system_prompt": "2"}
    )

    assert [first.status_code, second.status_code] == [201, 200]
    assert second.json()["id"] == id_
    assert second.json()["name"] == "renamed"


async def test_a_patch_changes_only_what_it_gives(client: httpx.AsyncClient) -> None:
    agent = await made_agent(client, description="old", max_iterations=3)

    patched = await client.patch(f"{V1}/agents/{agent['id']}", json={"description": None})

    assert patched.json()["description"] is None
    assert patched.json()["max_iterations"] == 3
    assert patched.json()["system_prompt"] == "Be kind."


@pytest.mark.parametrize("spelling", ["mcp_servers", "mcpServers"])
async def test_mcp_servers_are_read_under_both_spellings(
    client: httpx.AsyncClient, spelling: str
) -> None:
    agent = await made_agent(client, **{spelling: {"docs": {"url": "http://docs"}}})

    assert agent["mcpServers"] == {"docs": {"url": "http://docs"}}


async def test_lists_search_and_page(client: httpx.AsyncClient) -> None:
    for name in ("alpha-one", "alpha-two", "beta"):
        await made_agent(client, name=name)

    found = (await client.get(f"{V1}/agents?search=ALPHA&limit=1")).json()

    assert found["total"] == 2
    assert len(found["data"]) == 1
    assert (found["offset"], found["limit"]) == (0, 1)


async def test_built_in_harnesses_are_there_and_refuse_changes(client: httpx.AsyncClient) -> None:
    listed = (await client.get(f"{V1}/harnesses")).json()["data"]
    refused = await client.patch(f"{V1}/harnesses/base", json={"description": "x"})

    assert [harness["name"] for harness in listed] == [
        "base",
        "generic",
        "workbench",
    ]
    assert all(harness["is_built_in"] for harness in listed)
    assert refused.status_code == 403
    assert refused.json()["code"] == "permission_denied"


async def test_the_workbench_has_hands_and_what_no_harness_is_named_for_has_none(
    client: httpx.AsyncClient,
) -> None:
    bench = await made_session(client, harness_name="workbench")
    plain = await made_session(client)

    shown = [
        (await client.get(f"{V1}/sessions/{one['id']}/preview")).json() for one in (bench, plain)
    ]

    tools = {tool["name"] for tool in shown[0]["tools"]}
    assert tools >= {"read_file", "bash", "web_fetch", "kv_store", "query_history", "list_skills"}
    assert shown[1]["tools"] == []


async def test_a_session_folds_its_tiers(client: httpx.AsyncClient) -> None:
    harness = (
        await client.post(
            f"{V1}/harnesses",
            json={"name": "desk", "system_prompt": "House.", "parent_harness_id": None},
        )
    ).json()
    agent = await made_agent(client, harness_id=harness["id"], max_iterations=3)
    session = await made_session(client, agent_id=agent["id"], system_prompt="Session.")

    preview = (await client.get(f"{V1}/sessions/{session['id']}/preview")).json()

    assert [part["text"] for part in preview["prompts"]] == ["House.", "Be kind.", "Session."]
    assert [part["origin"]["tier"] for part in preview["prompts"]] == [
        "harness",
        "agent",
        "session",
    ]
    assert preview["max_iterations"] == 3
    assert preview["model"]["driver"] == "llmsim"


async def test_a_session_has_what_the_sdk_requires(client: httpx.AsyncClient) -> None:
    session = await made_session(client, title="t")

    got = (await client.get(f"{V1}/sessions/{session['id']}")).json()

    assert got["status"] == "started"
    assert got["organization_id"].startswith("org_")
    assert got["workspace_id"] == str(session["id"]).replace("session_", "wsp_")


async def test_both_ways_to_name_an_agent_are_refused(client: httpx.AsyncClient) -> None:
    agent = await made_agent(client)

    refused = await client.post(
        f"{V1}/sessions", json={"agent_id": agent["id"], "agent_name": "helper"}
    )

    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "conflicting_references"


async def test_initial_files_can_be_read_under_both_paths(client: httpx.AsyncClient) -> None:
    files = [{"path": "/workspace/notes/a.md", "content": "hello", "is_readonly": True}]
    session = await made_session(client, initial_files=files)

    by_workspace = await client.get(f"{V1}/workspaces/{session['workspace_id']}/fs/notes/a.md")
    by_session = await client.get(f"{V1}/sessions/{session['id']}/fs/workspace/notes/a.md")
    tree = await client.get(f"{V1}/sessions/{session['id']}/fs?recursive=true")

    assert by_workspace.json() == by_session.json()
    assert by_session.json()["content"] == "hello"
    assert [file["path"] for file in tree.json()["data"]] == ["/notes", "/notes/a.md"]


async def test_a_read_only_file_refuses_changes(client: httpx.AsyncClient) -> None:
    files = [{"path": "a.md", "content": "hello", "is_readonly": True}]
    session = await made_session(client, initial_files=files)
    at = f"{V1}/sessions/{session['id']}/fs/a.md"

    refused = [await client.put(at, json={"content": "x"}), await client.delete(at)]

    assert [answer.status_code for answer in refused] == [409, 409]


async def test_the_workspace_of_a_session_is_shown_and_goes_with_it_alone(
    client: httpx.AsyncClient,
) -> None:
    session = await made_session(client)
    at = f"{V1}/workspaces/{session['workspace_id']}"

    answers = [
        await client.get(at),
        await client.patch(at, json={"name": "mine"}),
        await client.delete(at),
        await client.delete(f"{V1}/workspaces/wsp_{'0' * 32}"),
    ]

    assert [answer.status_code for answer in answers] == [200, 409, 409, 404]
    assert "session" in answers[1].json()["detail"]


async def test_files_are_written_moved_by_nobody_else_and_deleted(
    client: httpx.AsyncClient,
) -> None:
    workspace = (await client.post(f"{V1}/workspaces", json={"name": "shared"})).json()
    at = f"{V1}/workspaces/{workspace['id']}/fs/deep/er/b.bin"

    created = await client.post(at, json={"content": "AAE=", "encoding": "base64"})
    taken = await client.post(at, json={"content": "x"})
    raw = await client.get(at, headers={"Accept": "application/octet-stream"})
    gone = await client.delete(at)

    assert created.status_code == 201
    assert (created.json()["encoding"], created.json()["size_bytes"]) == ("base64", 2)
    assert taken.status_code == 409
    assert raw.content == b"\x00\x01"
    assert gone.json() == {"deleted": True}


async def test_a_session_tells_what_its_turns_have_used(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    session = await made_session(client)
    id_ = from_wire(Prefix.SESSION, str(session["id"]))
    at = f"{V1}/sessions/{session['id']}"
    before = (await client.get(at)).json()
    used: Json = {"input_tokens": 7, "output_tokens": 5, "estimated_cost_usd": 0.002}

    backend.append(id_, "session.idled", {"turn_id": "turn_1", "session_usage": {}})
    backend.append(id_, "session.idled", {"turn_id": "turn_2", "session_usage": used})
    after = (await client.get(at)).json()

    assert (session["usage"], before["usage"], after["usage"]) == (None, None, used)
    assert Session.model_validate(after).usage == TokenUsage.model_validate(used)


async def test_a_deleted_session_is_gone_everywhere(client: httpx.AsyncClient) -> None:
    session = await made_session(client)
    path = f"{V1}/sessions/{session['id']}"

    deleted = await client.delete(path)
    answers = [
        await client.get(path),
        await client.get(f"{path}/events"),
        await client.get(f"{path}/messages"),
        await client.get(f"{path}/fs"),
        await client.delete(path),
        await client.post(f"{path}/messages", json=message("x")),
    ]

    assert deleted.status_code == 204
    assert [answer.status_code for answer in answers] == [404] * 6
    assert (await client.get(f"{V1}/sessions")).json()["total"] == 0


async def test_a_delete_that_was_cut_can_be_asked_again(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    session = await made_session(client)
    path = f"{V1}/sessions/{session['id']}"
    backend.away = True
    cut = await client.delete(path)
    backend.away = False

    again = await client.delete(path)

    assert cut.status_code == 503
    assert cut.headers["retry-after"] == "2"
    assert again.status_code == 204


def message(text: str) -> dict[str, object]:
    return {"message": {"role": "user", "content": [{"type": "text", "text": text}]}}


async def test_a_key_makes_a_post_happen_once(client: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "k1"}

    answers = await asyncio.gather(
        *(client.post(f"{V1}/sessions", json={"title": "one"}, headers=key) for _ in range(5))
    )
    other = await client.post(f"{V1}/sessions", json={"title": "two"}, headers=key)

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert (await client.get(f"{V1}/sessions")).json()["total"] == 1
    assert other.status_code == 409
    assert other.json()["code"] == "idempotency_mismatch"


async def test_spacing_and_order_make_no_other_body(client: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "k2", "Content-Type": "application/json"}

    first = await client.post(
        f"{V1}/agents", content=b'{"name":"a","system_prompt":"p"}', headers=key
    )
    second = await client.post(
        f"{V1}/agents", content=b'{ "system_prompt": "p", "name": "a" }', headers=key
    )

    assert [first.status_code, second.status_code] == [201, 201]
    assert first.content == second.content


async def test_organizations_are_listed_by_pages(client: httpx.AsyncClient) -> None:
    made = [(await client.post(f"{V1}/orgs", json={"name": name})).json() for name in "abc"]

    page = (await client.get(f"{V1}/orgs?offset=1&limit=2")).json()

    assert page == {"data": made[:2], "total": 4, "offset": 1, "limit": 2}


async def test_organizations_do_not_see_each_other(client: httpx.AsyncClient) -> None:
    agent = await made_agent(client)
    session = await made_session(client, agent_id=agent["id"])
    other = {"X-Org-Id": (await client.post(f"{V1}/orgs", json={"name": "other"})).json()["id"]}

    answers = [
        await client.get(f"{V1}/agents/{agent['id']}", headers=other),
        await client.get(f"{V1}/sessions/{session['id']}", headers=other),
        await client.get(f"{V1}/sessions/{session['id']}/events", headers=other),
        await client.get(f"{V1}/sessions/{session['id']}/events/summary", headers=other),
        await client.get(f"{V1}/sessions/{session['id']}/messages", headers=other),
        await client.get(f"{V1}/sessions/{session['id']}/sse", headers=other),
        await client.post(
            f"{V1}/sessions/{session['id']}/messages", json=message("x"), headers=other
        ),
        await client.delete(f"{V1}/sessions/{session['id']}", headers=other),
        await client.post(f"{V1}/sessions", json={"agent_id": agent["id"]}, headers=other),
    ]

    assert [answer.status_code for answer in answers] == [404] * len(answers)
    assert (await client.get(f"{V1}/sessions", headers=other)).json()["total"] == 0


async def test_an_organization_nobody_made_is_not_found(client: httpx.AsyncClient) -> None:
    unknown = await client.get(f"{V1}/agents", headers={"X-Org-Id": "org_" + "0" * 32})
    malformed = await client.get(f"{V1}/agents", headers={"X-Org-Id": "nonsense"})

    assert (unknown.status_code, malformed.status_code) == (404, 400)


async def test_models_and_providers_show_who_can_be_called(client: httpx.AsyncClient) -> None:
    models = (await client.get(f"{V1}/models")).json()["data"]
    providers = (await client.get(f"{V1}/providers")).json()["data"]

    simulated = next(model for model in models if model["model_id"] == "llmsim")
    assert simulated["id"] == "model_01933b5a000070008000000000000401"
    assert simulated["healthy"]
    assert {provider["name"]: provider["api_key_set"] for provider in providers} == {
        "LlmSim": False,
        "OpenAI": True,
        "Anthropic": False,
        "Gemini": False,
    }


async def test_capabilities_are_listed_and_unknown_ones_refused(
    client: httpx.AsyncClient,
) -> None:
    listed = (await client.get(f"{V1}/capabilities?search=time")).json()
    refused = await client.post(
        f"{V1}/agents",
        json={"name": "x", "system_prompt": "", "capabilities": [{"ref": "no_such"}]},
    )

    (shown,) = [one for one in listed["data"] if one["id"] == "current_time"]
    assert (shown["category"], shown["features"], shown["risk_level"]) == ("core", [], "low")
    assert shown["tool_definitions"][0]["name"] == "get_current_time"
    files = (await client.get(f"{V1}/capabilities/session_schedule")).json()
    asking = (await client.get(f"{V1}/capabilities/ask_user")).json()
    assert files["features"] == ["schedules"]
    assert "timeout_seconds" in asking["config_schema"]["properties"]
    assert refused.status_code == 422
    assert refused.json()["code"] == "unknown_capability"
