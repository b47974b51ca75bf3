"""Limits per key and weights of organizations as operators set them."""

import httpx
import pytest

V1 = "/api/v1/durable"
ORG = "org_" + "1" * 32
KEY = f"provider_{'1' * 32}:gpt-5"


async def test_a_limit_is_set_read_and_dropped(client: httpx.AsyncClient) -> None:
    put = await client.put(f"{V1}/limits/{KEY}", json={"rate": 60, "per_seconds": 60})
    listed = (await client.get(f"{V1}/limits")).json()
    dropped = await client.delete(f"{V1}/limits/{KEY}")

    assert put.status_code == 200, put.text
    assert put.json() == {
        "key": KEY,
        "at_once": None,
        "rate": 60,
        "per_seconds": 60.0,
        "running": 0,
        "available": 6,
        "family": None,
    }
    assert listed == {"data": [put.json()], "total": 1}
    assert dropped.status_code == 204
    assert (await client.get(f"{V1}/limits/{KEY}")).status_code == 404


async def test_a_queue_is_limited_by_its_name(client: httpx.AsyncClient) -> None:
    put = await client.put(f"{V1}/limits/queue:a~1b", json={"at_once": 0})

    assert (put.json()["key"], put.json()["at_once"]) == ("queue:a~1b", 0)
    assert (await client.get(f"{V1}/limits/queue:a~1b")).json() == put.json()


async def test_a_key_is_limited_by_its_name_or_with_all_of_its_family(
    client: httpx.AsyncClient,
) -> None:
    own = await client.put(f"{V1}/limits/key:customer:7", json={"at_once": 3})
    family = await client.put(f"{V1}/limits/key:customer:*", json={"at_once": 1})
    found = [(await client.get(f"{V1}/limits/key:customer:{n}")).json() for n in (7, 8)]

    assert [limit["key"] for limit in (own.json(), family.json())] == [
        "key:customer:7",
        "key:customer:*",
    ]
    assert [(limit["at_once"], limit["family"]) for limit in found] == [
        (3, None),
        (1, "key:customer:*"),
    ]


@pytest.mark.parametrize(
    "body", [{}, {"rate": 5}, {"per_seconds": 5}, {"at_once": -1}, {"rate": 0, "per_seconds": 1}]
)
async def test_a_limit_that_limits_nothing_is_refused(
    client: httpx.AsyncClient, body: dict[str, int]
) -> None:
    answer = await client.put(f"{V1}/limits/{KEY}", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


async def test_what_is_not_limited_cannot_be_dropped(client: httpx.AsyncClient) -> None:
    assert (await client.delete(f"{V1}/limits/queue:x")).status_code == 404


async def test_a_weight_is_listed_until_it_is_everybodys(client: httpx.AsyncClient) -> None:
    await client.put(f"{V1}/weights/{ORG}", json={"weight": 2.5})
    listed = (await client.get(f"{V1}/weights")).json()
    await client.put(f"{V1}/weights/{ORG}", json={"weight": 1})

    assert listed == {"data": [{"org_id": ORG, "weight": 2.5}], "total": 1}
    assert (await client.get(f"{V1}/weights")).json()["total"] == 0


@pytest.mark.parametrize("weight", [0, -1, 1e9])
async def test_a_weight_has_its_bounds(client: httpx.AsyncClient, weight: float) -> None:
    answer = await client.put(f"{V1}/weights/{ORG}", json={"weight": weight})

    assert answer.status_code == 422
