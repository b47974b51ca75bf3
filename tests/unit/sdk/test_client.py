"""Requests of the client: what may be sent twice, and is."""

import httpx
import msgspec

from mainspring import Client, workflow

Body = dict[str, object]
AWAY = httpx.Response(503, headers={"retry-after": "0"}, json={"code": "unavailable"})
STARTED = {
    "id": "workflow_1",
    "type": "greet",
    "status": "running",
    "key": "k",
    "queue": "default",
    "created_at": "2026-11-27T00:00:00Z",
}


@workflow
async def greet(name: str) -> str:
    return name


class Away:
    """An API that answers each path only when it is asked for the third time."""

    def __init__(self) -> None:
        self.sent: list[Body] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(msgspec.json.decode(request.content, type=Body))
        return httpx.Response(201, json=STARTED) if len(self.sent) % 3 == 0 else AWAY

    def client(self) -> Client:
        return Client("http://x", transport=httpx.MockTransport(self))

    def values(self, name: str) -> set[object]:
        return {body.get(name) for body in self.sent}


async def test_a_start_without_a_key_is_repeated_under_one_of_its_own() -> None:
    api = Away()
    async with api.client() as client:
        handle = await client.start(greet, "Ada")
        first = api.values("key")
        await client.start(greet, "Ada")

    assert handle.id == "workflow_1"
    assert len(api.sent) == 6
    assert len(first) == 1
    assert len(api.values("key")) == 2
    assert None not in api.values("key")


async def test_a_fork_without_a_key_is_repeated_under_one_of_its_own() -> None:
    api = Away()
    async with api.client() as client:
        await client.fork("workflow_0", step="3")

    assert len(api.sent) == 3
    assert len(api.values("key")) == 1
    assert None not in api.values("key")


async def test_a_signal_is_repeated_under_one_id() -> None:
    api = Away()
    async with api.client() as client:
        await client.signal("workflow_1", "approve", "Ada")

    assert len(api.sent) == 3
    (id_,) = api.values("id")
    assert str(id_).startswith("signal_")


async def test_a_workflow_is_found_by_its_key() -> None:
    asked: list[dict[str, str]] = []

    def api(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        known = request.url.params["key"] == "k"
        return httpx.Response(200, json={"data": [STARTED] if known else [], "has_more": False})

    async with Client("http://x", transport=httpx.MockTransport(api)) as client:
        found = await client.find(greet, "k")
        nothing = await client.find(greet, "l")

    assert found is not None
    assert (found.id, nothing) == ("workflow_1", None)
    assert asked[0] == {"workflow_type": "greet", "key": "k", "limit": "1"}
