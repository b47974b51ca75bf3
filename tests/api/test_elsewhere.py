"""Pages of elsewhere, which a browser beside the api opens, neither call it nor read from it."""

from collections.abc import Awaitable, Callable
from typing import cast

import httpx
import pytest

from mainspring_api.adapters.http.app import application
from mainspring_api.adapters.http.elsewhere import Elsewhere, hosts_of
from mainspring_api.adapters.http.services import Services
from mainspring_kernel.errors import ValidationFailed
from tests.api.test_resources import V1, made_agent

LOOPBACK = "127.0.0.1"
HERE = {"host": "127.0.0.1:9000"}
JSON = b'{"name": "mine", "system_prompt": "x"}'


def reached(services: Services, bound: str = LOOPBACK, hosts: str = "") -> httpx.AsyncClient:
    app = Elsewhere(application(services), bound, hosts_of(hosts))
    # httpx tells no kinds of scope apart.
    plain = cast("Callable[..., Awaitable[None]]", cast("object", app))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=plain), base_url="http://localhost")


@pytest.mark.parametrize(
    "said",
    [
        {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
        # Another port of this machine is the same site.
        {"sec-fetch-site": "same-site", "origin": "http://127.0.0.1:3000"},
        {"origin": "https://evil.example"},
        {"origin": "http://127.0.0.1:3000"},
        {"origin": "null"},
    ],
)
async def test_a_page_of_another_site_changes_nothing(
    services: Services, said: dict[str, str]
) -> None:
    async with reached(services) as client:
        agent = await made_agent(client)
        # As a page can send it without being asked first: no type of JSON, or no body at all.
        made = await client.post(f"{V1}/agents", content=JSON, headers={**HERE, **said})
        deleted = await client.post(f"{V1}/agents/{agent['id']}/delete", headers={**HERE, **said})
        there = (await client.get(f"{V1}/agents", headers=HERE)).json()["data"]

    assert (made.status_code, deleted.status_code) == (403, 403)
    assert made.headers["content-type"].startswith("application/problem+json")
    assert made.json()["code"] == "permission_denied"
    assert [one["id"] for one in there] == [agent["id"]]


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"sec-fetch-site": "same-origin", "origin": "http://127.0.0.1:9000"},
        # A proxy may let the name that it calls stand for the one that it was called by.
        {"sec-fetch-site": "same-origin", "origin": "https://agents.example.org"},
        {"sec-fetch-site": "none"},
        {"origin": "http://127.0.0.1:9000"},
    ],
)
async def test_programs_and_its_own_pages_call_it(services: Services, said: dict[str, str]) -> None:
    async with reached(services) as client:
        made = await client.post(f"{V1}/agents", content=JSON, headers={**HERE, **said})

    assert made.status_code == 201, made.text


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("host", ["evil.example:9000", "evil.example", "127.0.0.1.evil.example"])
async def test_on_loopback_a_name_that_only_means_this_machine_opens_nothing(
    services: Services, method: str, host: str
) -> None:
    async with reached(services) as client:
        answer = await client.request(method, f"{V1}/agents", content=JSON, headers={"host": host})

    assert answer.status_code == 403
    assert "MAINSPRING_API_HOSTS" in answer.json()["detail"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1:9000", "localhost:9000", "LOCALHOST", "[::1]:9000", "10.0.0.7", "127.0.0.1"]
)
async def test_addresses_and_localhost_are_its_names(services: Services, host: str) -> None:
    async with reached(services) as client:
        answer = await client.get(f"{V1}/agents", headers={"host": host})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("bound", "hosts", "status"),
    [
        (LOOPBACK, "agents.example.org, other.example.org", 200),
        (LOOPBACK, "other.example.org", 403),
        (LOOPBACK, "*", 200),
        ("0.0.0.0", "", 200),
        ("0.0.0.0", "other.example.org", 403),
    ],
)
async def test_an_operator_says_its_names_and_off_loopback_need_not(
    services: Services, bound: str, hosts: str, status: int
) -> None:
    async with reached(services, bound, hosts) as client:
        answer = await client.get(f"{V1}/agents", headers={"host": "Agents.example.org:443"})

    assert answer.status_code == status


async def test_channels_are_reached_by_any_name_and_from_any_page(services: Services) -> None:
    async with reached(services) as client:
        agent = await made_agent(client)
        made = (await client.post(f"{V1}/agents/{agent['id']}/channels", json={})).json()
        headers = {
            "host": "chat.example.org",
            "origin": "https://app.example.org",
            "sec-fetch-site": "cross-site",
            "authorization": f"Bearer {made['keys'][0]['key']}",
        }
        begun = await client.post(f"{made['path']}/sessions", json={}, headers=headers)

    assert begun.status_code == 201, begun.text


@pytest.mark.parametrize("text", ["https://agents.example.org", "agents.example.org:9000", "a b"])
def test_what_is_no_name_of_a_host_is_refused(text: str) -> None:
    with pytest.raises(ValidationFailed, match="no name of a host"):
        hosts_of(text)
