"""What a new session finds in its workspace."""

import httpx
import pytest

V1 = "/api/v1"
Json = dict[str, object]


async def created(client: httpx.AsyncClient, *files: Json, **more: object) -> int:
    body = {"initial_files": list(files), **more}
    return (await client.post(f"{V1}/sessions", json=body)).status_code


async def shared(client: httpx.AsyncClient) -> str:
    return (await client.post(f"{V1}/workspaces", json={"name": "shared"})).json()["id"]


async def test_a_new_session_leaves_the_files_of_a_shared_workspace_as_they_are(
    client: httpx.AsyncClient,
) -> None:
    workspace = await shared(client)
    at = f"{V1}/workspaces/{workspace}/fs"
    await client.post(f"{at}/notes.md", json={"content": "edited"})
    await client.post(f"{at}/rules.md", json={"content": "kept", "is_readonly": True})

    status = await created(
        client,
        {"path": "notes.md", "content": "starter"},
        {"path": "rules.md", "content": "starter"},
        {"path": "new/more.md", "content": "starter"},
        workspace_id=workspace,
    )

    assert status == 201
    found = [(await client.get(f"{at}/{name}")).json() for name in ("notes.md", "rules.md")]
    assert [file["content"] for file in found] == ["edited", "kept"]
    assert [file["is_readonly"] for file in found] == [False, True]
    assert (await client.get(f"{at}/new/more.md")).json()["content"] == "starter"


@pytest.mark.parametrize("path", ["notes.md/below", "folder"])
async def test_no_initial_file_makes_a_directory_of_a_file_or_a_file_of_a_directory(
    client: httpx.AsyncClient, path: str
) -> None:
    workspace = await shared(client)
    at = f"{V1}/workspaces/{workspace}/fs"
    await client.post(f"{at}/notes.md", json={"content": "edited"})
    await client.post(f"{at}/folder/within", json={"content": "within"})

    status = await created(client, {"path": path, "content": "starter"}, workspace_id=workspace)

    assert status == 409
    assert (await client.get(f"{at}/notes.md")).json()["content"] == "edited"
    assert (await client.get(f"{at}/folder/within")).json()["content"] == "within"


async def test_a_path_is_not_both_a_file_and_a_directory(client: httpx.AsyncClient) -> None:
    below: Json = {"path": "/workspace/a/b", "content": "1"}
    above: Json = {"path": "a", "content": "2"}
    agent = {"name": "both", "system_prompt": "", "initial_files": [above, below]}
    half = {"name": "half", "system_prompt": "", "initial_files": [above]}
    made = (await client.post(f"{V1}/agents", json=half)).json()

    refused = [
        await created(client, below, above),
        (await client.post(f"{V1}/agents", json=agent)).status_code,
        await created(client, below, agent_id=made["id"]),
    ]

    assert refused == [422, 422, 422]
