"""Pages of other origins call channels where the operator has named them, and nothing else."""

from collections.abc import Awaitable, Callable
from typing import cast

import httpx
import pytest

from mainspring_api.adapters.http.app import application
from mainspring_api.adapters.http.browsers import Browsers, origins_of
from mainspring_api.adapters.http.services import Services
from mainspring_kernel.errors import ValidationFailed
from tests.api.test_resources import V1, made_agent

PAGE = "https://app.example.org"
ASKED = {"access-control-request-method": "POST", "access-control-request-headers": "end-user"}
ALLOWED = "access-control-allow-origin"


def browser(services: Services, origins: str = PAGE) -> httpx.AsyncClient:
    app = Browsers(application(services), origins_of(origins))
    # httpx tells no kinds of scope apart.
    plain = cast("Callable[..., Awaitable[None]]", cast("object", app))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=plain), base_url="http://api")


async def channel(client: httpx.AsyncClient) -> tuple[str, dict[str, str]]:
    agent = await made_agent(client)
    made = (await client.post(f"{V1}/agents/{agent['id']}/channels", json={})).json()
    return str(made["path"]), {"authorization": f"Bearer {made['keys'][0]['key']}"}


async def test_a_named_page_may_ask_before_it_calls(services: Services) -> None:
    async with browser(services) as client:
        path, _ = await channel(client)
        asked = await client.options(f"{path}/sessions", headers={"origin": PAGE, **ASKED})

    assert (asked.status_code, asked.content) == (204, b"")
    assert asked.headers[ALLOWED] == PAGE
    assert asked.headers["vary"] == "Origin"
    assert "POST" in asked.headers["access-control-allow-methods"]
    for name in (
        "Authorization", "Cache-Control", "End-User", "Idempotency-Key", "Last-Event-ID", "X-Org-Id"
    ):  # fmt: skip
        assert name in asked.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in asked.headers


async def test_it_reads_answers_and_refusals(services: Services) -> None:
    async with browser(services) as client:
        path, key = await channel(client)
        made = await client.post(f"{path}/sessions", json={}, headers={"origin": PAGE, **key})
        begun = await client.get(made.headers["location"], headers={"origin": PAGE, **key})
        refused = await client.get(f"{path}/sessions", headers={"origin": PAGE})

    assert (made.status_code, refused.status_code) == (201, 401)
    assert made.headers[ALLOWED] == refused.headers[ALLOWED] == PAGE
    assert "Location" in made.headers["access-control-expose-headers"]
    assert "X-Total-Count" in made.headers["access-control-expose-headers"]
    assert begun.json()["id"] == made.json()["id"]


@pytest.mark.parametrize("origin", ["https://evil.example.org", f"{PAGE}.evil.org", "null"])
async def test_any_other_page_is_turned_away(services: Services, origin: str) -> None:
    async with browser(services) as client:
        path, key = await channel(client)
        asked = await client.options(f"{path}/sessions", headers={"origin": origin, **ASKED})
        called = await client.get(f"{path}/sessions", headers={"origin": origin, **key})

    assert asked.status_code == 403
    assert asked.json()["code"] == "permission_denied"
    assert ALLOWED not in asked.headers
    # Whoever shows the key is answered; a browser keeps the answer from the page.
    assert called.status_code == 200
    assert ALLOWED not in called.headers
    assert called.headers["vary"] == "Origin"


async def test_all_pages_may_be_let_in_without_credentials(services: Services) -> None:
    async with browser(services, "*") as client:
        path, key = await channel(client)
        called = await client.get(f"{path}/sessions", headers={"origin": PAGE, **key})

    assert called.headers[ALLOWED] == "*"
    assert "access-control-allow-credentials" not in called.headers


async def test_nothing_but_channels_is_reached(services: Services) -> None:
    async with browser(services, "*") as client:
        asked = await client.options(f"{V1}/sessions", headers={"origin": PAGE, **ASKED})
        called = await client.get(f"{V1}/sessions", headers={"origin": PAGE})

    assert ALLOWED not in asked.headers
    assert ALLOWED not in called.headers


def test_origins_are_read_with_commas_between() -> None:
    assert origins_of("") == frozenset()
    assert origins_of(f" {PAGE} , http://localhost:3000 ") == {PAGE, "http://localhost:3000"}
    assert origins_of("HTTPS://App.Example.org") == {PAGE}


@pytest.mark.parametrize(
    "text", ["app.example.org", f"{PAGE}/", f"{PAGE}/chat", "ftp://a", "https://"]
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValidationFailed, match="no origin"):
        origins_of(text)
