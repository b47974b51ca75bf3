"""Files moved, copied and searched over HTTP."""

from urllib.parse import quote

import httpx
import pytest

from mainspring_api.usecases import file_search
from tests.api.test_resources import V1, made_session


@pytest.fixture
async def at(client: httpx.AsyncClient) -> str:
    """The files of a session."""
    session = await made_session(client)
    at = f"{V1}/sessions/{session['id']}/fs"
    for path, content in (
        ("notes/a.md", "# One\nred\nblue red"),
        ("notes/b.txt", "red"),
        ("c.md", "green"),
    ):
        await client.post(f"{at}/{path}", json={"content": content})
    return at


async def tree(client: httpx.AsyncClient, at: str) -> list[str]:
    listed = (await client.get(at, params={"recursive": "true"})).json()["data"]
    return [str(one["path"]) for one in listed if not one["is_directory"]]


async def test_a_directory_is_moved_and_a_file_copied(client: httpx.AsyncClient, at: str) -> None:
    moved = await client.post(f"{at}/_/move", json={"src_path": "/notes", "dst_path": "/old/n"})
    copied = await client.post(f"{at}/_/copy", json={"src_path": "c.md", "dst_path": "d.md"})
    taken = await client.post(f"{at}/_/copy", json={"src_path": "c.md", "dst_path": "d.md"})
    gone = await client.post(f"{at}/_/move", json={"src_path": "/notes", "dst_path": "/x"})

    assert (moved.json()["path"], copied.json()["path"]) == ("/old/n", "/d.md")
    assert (taken.status_code, gone.status_code) == (409, 404)
    assert await tree(client, at) == ["/c.md", "/d.md", "/old/n/a.md", "/old/n/b.txt"]


async def found(
    client: httpx.AsyncClient, at: str, **body: object
) -> list[tuple[object, list[int]]]:
    answer = await client.post(f"{at}/_/grep", json=body)
    return [
        (one["path"], [hit["line_number"] for hit in one["matches"]])
        for one in answer.json()["data"]
    ]


async def test_lines_are_found_by_pattern_and_place(client: httpx.AsyncClient, at: str) -> None:
    everywhere = await found(client, at, pattern="red$")
    in_notes = await found(client, at, pattern="r.d", path_pattern="notes/*.md")
    bad = await client.post(f"{at}/_/grep", json={"pattern": "(a"})

    assert everywhere == [("/notes/a.md", [2, 3]), ("/notes/b.txt", [1])]
    assert in_notes == [("/notes/a.md", [2, 3])]
    assert bad.status_code == 422


async def test_a_search_has_bounds(
    client: httpx.AsyncClient, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.post(f"{at}/bin", json={"content": "AHJlZA==", "encoding": "base64"})
    monkeypatch.setattr(file_search, "MATCHES_MAX", 2)
    monkeypatch.setattr(file_search, "BATCH_BYTES_MAX", 1)

    assert await found(client, at, pattern="red") == [("/notes/a.md", [2, 3])]
    monkeypatch.setattr(file_search, "TOTAL_BYTES_MAX", 9)
    assert await found(client, at, pattern=".") == [("/c.md", [1])]


@pytest.mark.parametrize("name", ["chart.png", "é 1%.txt"])
async def test_a_file_is_downloaded_as_it_is_and_under_its_name(
    client: httpx.AsyncClient, name: str
) -> None:
    session = await made_session(client)
    memory = (await client.post(f"{V1}/memories", json={"name": "facts"})).json()
    owners = (
        f"sessions/{session['id']}",
        f"workspaces/{session['workspace_id']}",
        f"memories/{memory['id']}",
    )
    for owner in (owners[0], owners[2]):
        body = {"content": "AAE=", "encoding": "base64"}
        await client.post(f"{V1}/{owner}/fs/deep/{quote(name)}", json=body)

    for owner in owners:
        at = f"{V1}/{owner}/fs/_/download"
        found = await client.get(f"{at}/deep/{quote(name)}")
        missing = [await client.get(f"{at}/{path}") for path in ("deep", "none.png")]

        assert (found.status_code, found.content) == (200, b"\x00\x01")
        assert found.headers["content-type"] == "application/octet-stream"
        assert found.headers["content-disposition"] == f"attachment; filename*=UTF-8''{quote(name)}"
        assert [answer.status_code for answer in missing] == [404, 404]
