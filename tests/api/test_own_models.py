"""An organization's own providers and models: whole lives, sealed keys, and turns that use them."""

from typing import cast, get_args
from uuid import UUID

import httpx
import msgspec
import pytest

from mainspring_api.adapters.http.services import Services
from mainspring_api.adapters.http.wire.models import Driver
from mainspring_api.domain.providers import OwnProvider
from mainspring_api.usecases.credentials import StoredCredentials
from mainspring_kernel.errors import NotFound
from mainspring_kernel.ids import (
    DEFAULT_ORG_ID,
    LLMSIM_MODEL_ID,
    OrgId,
    Prefix,
    ProviderId,
    from_wire,
    to_wire,
)
from mainspring_schema.agents import Prices, decode_runtime_agent
from mainspring_worker.adapters.models.providers.driver import DRIVERS
from tests.api.backend import Backend
from tests.api.test_resources import V1, made_agent, made_session, message

Json = dict[str, object]
HOUSE_MODEL = to_wire(Prefix.MODEL, LLMSIM_MODEL_ID)
KEY = "sk-canary-1234567890"


async def made(client: httpx.AsyncClient, what: str, **body: object) -> Json:
    answer = await client.post(f"{V1}/{what}", json=body)
    assert answer.status_code == 201, answer.text
    return cast("Json", answer.json())


async def own_provider(client: httpx.AsyncClient, name: str = "Mine") -> Json:
    return await made(
        client,
        "providers",
        name=name,
        provider_type="openai",
        base_url="http://127.0.0.1:1/v1",
        api_key=KEY,
    )


async def test_a_provider_lives_and_its_key_is_never_shown(client: httpx.AsyncClient) -> None:
    provider = await own_provider(client)
    at = f"{V1}/providers/{provider['id']}"

    read = await client.get(at)
    changed = await client.patch(at, json={"name": "Renamed", "status": "disabled"})
    listed = await client.get(f"{V1}/providers")
    gone = await client.delete(at)

    assert read.json() == provider
    assert (provider["api_key_set"], provider["managed"]) == (True, False)
    assert (changed.json()["name"], changed.json()["status"]) == ("Renamed", "disabled")
    assert changed.json()["base_url"] == "http://127.0.0.1:1/v1"
    assert changed.json() in listed.json()["data"]
    assert KEY not in read.text + changed.text + listed.text
    assert (gone.status_code, (await client.get(at)).status_code) == (204, 404)


def test_every_driver_of_the_workers_can_be_named() -> None:
    assert sorted(get_args(Driver)) == sorted(("llmsim", *DRIVERS))


async def test_a_model_lives(client: httpx.AsyncClient) -> None:
    provider = await own_provider(client)
    model = await made(
        client, "models", provider_id=provider["id"], model_id="big-1", display_name="Big"
    )
    at = f"{V1}/models/{model['id']}"

    read = await client.get(at)
    changed = await client.patch(at, json={"is_favorite": True, "enabled": False})
    favorites = (await client.get(f"{V1}/models?favorites_only=true")).json()["data"]
    of_provider = (await client.get(f"{V1}/providers/{provider['id']}/models")).json()["data"]
    refused = await client.delete(f"{V1}/providers/{provider['id']}")
    gone = await client.delete(at)

    assert read.json() == model
    assert (model["source"], model["healthy"]) == ("manual", True)
    assert favorites == of_provider == [changed.json()]
    assert (changed.json()["enabled"], changed.json()["display_name"]) == (False, "Big")
    assert refused.status_code == 409
    assert (gone.status_code, (await client.get(at)).status_code) == (204, 404)


async def test_a_model_that_its_provider_has_is_told_by_their_names(
    client: httpx.AsyncClient,
) -> None:
    provider = await own_provider(client)
    body = {"provider_id": provider["id"], "model_id": "big-1"}
    await made(client, "models", **body)

    refused = await client.post(f"{V1}/models", json=body)

    assert (refused.status_code, refused.json()["code"]) == (409, "name_taken")
    assert refused.json()["detail"] == f"the provider {provider['name']!r} has a model 'big-1'"


async def test_what_belongs_to_the_house_cannot_be_changed(client: httpx.AsyncClient) -> None:
    model = f"{V1}/models/model_01933b5a000070008000000000000401"
    provider = f"{V1}/providers/provider_01933b5a000070008000000000000003"

    statuses = [
        (await client.patch(model, json={"enabled": False})).status_code,
        (await client.delete(provider)).status_code,
        (await client.delete(model)).status_code,
    ]

    assert statuses == [403, 403, 403]


async def test_a_turn_works_with_the_model_as_it_is_now(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    provider = await own_provider(client)
    model = await made(client, "models", provider_id=provider["id"], model_id="big-1")
    agent = await made_agent(client, default_model_id=model["id"])
    session = await made_session(client, agent_id=agent["id"])
    say = f"{V1}/sessions/{session['id']}/messages"

    await client.post(say, json=message("one"))
    await client.patch(f"{V1}/models/{model['id']}", json={"model_id": "big-2"})
    await client.post(say, json=message("two"))
    await client.patch(f"{V1}/providers/{provider['id']}", json={"status": "disabled"})
    await client.post(say, json=message("three"))

    configs = [decode_runtime_agent(one.config or b"") for one in backend.submits]
    assert [one.model.model for one in configs] == ["big-1", "big-2", ""]
    assert configs[0].model.base_url == "http://127.0.0.1:1/v1"
    assert KEY not in str([one.config for one in backend.submits])


async def test_a_turn_takes_the_prices_of_its_model_along(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    provider = await own_provider(client)
    profile: Json = {
        "name": "Big", "family": "big", "attachment": False, "open_weights": False,
        "reasoning": False, "structured_output": True, "temperature": True, "tool_call": True,
        "cost": {"input": 2.5, "output": 10, "cache_read": 0.25, "cache_write": 3},
    }  # fmt: skip
    priced = await made(
        client, "models", provider_id=provider["id"], model_id="big-1", profile=profile
    )
    plain = await made(
        client, "models", provider_id=provider["id"], model_id="big-2",
        fallback_model_ids=[priced["id"]], profile={**profile, "cost": {"input": 1, "output": 2}},
    )  # fmt: skip
    session = await made_session(client)
    body = message("one") | {"controls": {"model_id": plain["id"]}}

    await client.post(f"{V1}/sessions/{session['id']}/messages", json=body)

    (submitted,) = backend.submits
    choice = decode_runtime_agent(submitted.config or b"").model
    assert choice.prices == Prices(input=1, output=2)
    (fallback,) = choice.fallbacks
    assert fallback.prices == Prices(input=2.5, output=10, cache_read=0.25, cache_write=3)


async def test_a_message_may_name_an_own_model(client: httpx.AsyncClient, backend: Backend) -> None:
    provider = await own_provider(client)
    model = await made(client, "models", provider_id=provider["id"], model_id="big-1")
    session = await made_session(client)

    body = message("one") | {"controls": {"model_id": model["id"]}}
    await client.post(f"{V1}/sessions/{session['id']}/messages", json=body)

    (submitted,) = backend.submits
    assert decode_runtime_agent(submitted.config or b"").model.model == "big-1"


async def test_the_key_reaches_who_holds_a_task_of_the_organization(
    client: httpx.AsyncClient, services: Services
) -> None:
    provider = await own_provider(client)
    id_ = ProviderId(from_wire(Prefix.PROVIDER, str(provider["id"])))
    source = StoredCredentials(services.store, services.credentials, services.vault)

    found = await source.of(DEFAULT_ORG_ID, id_)
    async with services.store.transaction(DEFAULT_ORG_ID) as tx:
        row = await tx.record(OwnProvider, id_)

    assert (found.api_key, found.base_url) == (KEY, "http://127.0.0.1:1/v1")
    assert KEY.encode() not in msgspec.json.encode(row)
    with pytest.raises(NotFound):
        await source.of(OrgId(UUID(int=1)), id_)


async def test_a_turn_takes_the_fallbacks_of_its_model_along(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    provider = await own_provider(client)
    spare = await made(client, "models", provider_id=provider["id"], model_id="spare-1")
    behind = [spare["id"], HOUSE_MODEL]
    model = await made(
        client, "models", provider_id=provider["id"], model_id="big-1", fallback_model_ids=behind
    )
    session = await made_session(client)
    body = message("one") | {"controls": {"model_id": model["id"]}}
    await client.post(f"{V1}/sessions/{session['id']}/messages", json=body)
    await client.patch(f"{V1}/models/{spare['id']}", json={"enabled": False})
    await client.post(f"{V1}/sessions/{session['id']}/messages", json=body)

    chosen = [decode_runtime_agent(one.config or b"").model for one in backend.submits]
    assert model["fallback_model_ids"] == behind
    assert [[one.model for one in choice.fallbacks] for choice in chosen] == [
        ["spare-1", "llmsim"],
        ["llmsim"],
    ]


@pytest.mark.parametrize("behind", [["itself"], [HOUSE_MODEL] * 2, ["model_" + "9" * 32]])
async def test_a_model_falls_back_on_others_that_are_there(
    client: httpx.AsyncClient, behind: list[str]
) -> None:
    provider = await own_provider(client)
    model = await made(client, "models", provider_id=provider["id"], model_id="big-1")
    ids = [str(model["id"]) if one == "itself" else one for one in behind]

    at = f"{V1}/models/{model['id']}"
    refused = await client.patch(at, json={"fallback_model_ids": ids})

    assert refused.status_code == 422, refused.text
    assert (await client.get(at)).json()["fallback_model_ids"] == []
