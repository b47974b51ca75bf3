"""A provider tells its models: what the catalogue has of it afterwards, and what it keeps."""

from typing import cast
from uuid import UUID

import httpx
import msgspec
import pytest

from mainspring_api.adapters.http.services import Services
from mainspring_api.domain.limits import MODELS_MAX
from mainspring_api.domain.providers import OwnModel
from mainspring_api.usecases import discovery, providers
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.errors import DeadlineExceeded
from mainspring_kernel.ids import DEFAULT_ORG_ID, Prefix, ProviderId, from_wire
from mainspring_kernel.limits import SYNC_START_MS
from mainspring_schema.discovery import LIST_MODELS, ListModels
from mainspring_schema.plain import CancelPlainTask
from mainspring_schema.workflows import Flaw
from tests.api.backend import Backend
from tests.api.conftest import wired
from tests.api.operators import FakeOperator
from tests.api.test_own_models import KEY, Json, made, own_provider
from tests.api.test_resources import V1

PROFILE: Json = {
    "name": "Big", "family": "big", "attachment": False, "open_weights": False,
    "reasoning": False, "structured_output": True, "temperature": True, "tool_call": True,
}  # fmt: skip


def lists(*models: Json) -> bytes:
    named = [{"display_name": str(one["model"]).upper()} | one for one in models]
    return msgspec.json.encode({"models": named})


async def synced(client: httpx.AsyncClient, provider: Json) -> Json:
    answer = await client.post(f"{V1}/providers/{provider['id']}/sync-models")
    assert answer.status_code == 200, answer.text
    return cast("Json", answer.json())


async def listed(client: httpx.AsyncClient, provider: Json) -> dict[str, Json]:
    answer = await client.get(f"{V1}/providers/{provider['id']}/models")
    data = cast("list[Json]", answer.json()["data"])
    return {str(one["model_id"]): one for one in data}


async def test_what_a_provider_lists_is_found(client: httpx.AsyncClient, backend: Backend) -> None:
    provider = await own_provider(client)
    backend.at_once[LIST_MODELS] = lists({"model": "big-1", "profile": PROFILE}, {"model": "b"})

    told = await synced(client, provider)

    kept = await listed(client, provider)
    assert {str(one["id"]): one for one in cast("list[Json]", told["models"])} == {
        str(one["id"]): one for one in kept.values()
    }
    counted = {name: told[name] for name in ("found", "added", "updated", "stale", "skipped")}
    assert counted == {"found": 2, "added": 2, "updated": 0, "stale": 0, "skipped": 0}
    assert (kept["big-1"]["source"], kept["big-1"]["display_name"]) == ("discovered", "BIG-1")
    assert (kept["big-1"]["profile"], kept["b"]["profile"]) == (PROFILE, None)
    read = (await client.get(f"{V1}/providers/{provider['id']}")).json()
    assert read["last_synced_at"] == told["synced_at"]


async def test_the_question_names_the_provider_and_nothing_that_opens_it(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    provider = await own_provider(client)

    await synced(client, provider)

    ((task, _),) = backend.tasks.values()
    asked = msgspec.json.decode(task.input, type=ListModels)
    assert (task.type, asked.provider_id) == (LIST_MODELS, provider["id"])
    assert task.start_within_ms == SYNC_START_MS
    assert KEY.encode() not in task.input


async def test_a_second_list_changes_what_is_new_and_marks_what_is_gone(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    provider = await own_provider(client)
    backend.at_once[LIST_MODELS] = lists({"model": "stays"}, {"model": "goes"})
    await synced(client, provider)
    before = await listed(client, provider)
    backend.at_once[LIST_MODELS] = lists({"model": "stays", "profile": PROFILE}, {"model": "comes"})

    told = await synced(client, provider)

    after = await listed(client, provider)
    assert (told["added"], told["updated"], told["stale"]) == (1, 2, 1)
    assert after["stays"]["id"] == before["stays"]["id"]
    assert after["stays"]["profile"] == PROFILE
    assert [one["stale"] for one in after.values() if one["model_id"] == "goes"] == [True]
    shown = (await client.get(f"{V1}/models?source=discovered")).json()["data"]
    every = (await client.get(f"{V1}/models?source=discovered&include_stale=true")).json()["data"]
    assert {one["model_id"] for one in shown} == {"stays", "comes"}
    assert {one["model_id"] for one in every} == {"stays", "comes", "goes"}


async def test_a_model_that_comes_back_is_no_longer_stale(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    provider = await own_provider(client)
    for models in (lists({"model": "m"}), lists(), lists({"model": "m"})):
        backend.at_once[LIST_MODELS] = models
        told = await synced(client, provider)

    assert (told["added"], told["updated"], told["stale"]) == (0, 1, 0)


async def test_what_people_changed_stays_theirs(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    provider = await own_provider(client)
    backend.at_once[LIST_MODELS] = lists({"model": "m"})
    (model,) = cast("list[Json]", (await synced(client, provider))["models"])
    changes: Json = {"display_name": "Ours", "enabled": False, "is_favorite": True}
    await client.patch(f"{V1}/models/{model['id']}", json=changes)
    backend.at_once[LIST_MODELS] = lists({"model": "m", "display_name": "T", "profile": PROFILE})

    await synced(client, provider)

    kept = (await listed(client, provider))["m"]
    assert {name: kept[name] for name in changes} == changes
    assert (kept["source"], kept["profile"]) == ("discovered", PROFILE)


async def test_a_model_that_people_added_is_neither_changed_nor_stale(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    provider = await own_provider(client)
    for name in ("listed", "unlisted"):
        await made(client, "models", provider_id=provider["id"], model_id=name)
    before = await listed(client, provider)
    backend.at_once[LIST_MODELS] = lists({"model": "listed", "display_name": "Theirs"})

    told = await synced(client, provider)

    assert await listed(client, provider) == before
    assert (told["found"], told["added"], told["updated"]) == (1, 0, 0)


async def test_under_another_name_a_model_is_peoples(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    provider = await own_provider(client)
    backend.at_once[LIST_MODELS] = lists({"model": "m"})
    (model,) = cast("list[Json]", (await synced(client, provider))["models"])
    await client.patch(f"{V1}/models/{model['id']}", json={"model_id": "m-tuned"})

    await synced(client, provider)

    kept = await listed(client, provider)
    assert (kept["m-tuned"]["source"], kept["m-tuned"]["stale"]) == ("manual", False)
    assert kept["m"]["source"] == "discovered"


@pytest.mark.parametrize(
    ("code", "status", "told"),
    [
        ("provider_misconfigured", 502, "provider_failed"),
        ("provider_timeout", 502, "provider_failed"),
        ("timeout.schedule_to_start", 503, "no_worker"),
    ],
)
async def test_where_nobody_answers_nothing_changes(
    client: httpx.AsyncClient, backend: Backend, code: str, status: int, told: str
) -> None:
    provider = await own_provider(client)
    await synced(client, provider)
    before = await listed(client, provider)
    backend.at_once[LIST_MODELS] = Flaw(code=code, message="status 401: no such key")

    answer = await client.post(f"{V1}/providers/{provider['id']}/sync-models")

    assert (answer.status_code, answer.json()["code"]) == (status, told)
    if status == 502:
        assert answer.json()["detail"] == f"Mine ({code}): status 401: no such key"
    assert await listed(client, provider) == before


async def test_a_catalogue_that_would_be_too_long_stays_as_it_is(
    client: httpx.AsyncClient, services: Services, backend: Backend
) -> None:
    provider = await own_provider(client)
    id_ = from_wire(Prefix.PROVIDER, str(provider["id"]))
    async with services.store.transaction(DEFAULT_ORG_ID) as tx:
        for number in range(MODELS_MAX):
            await tx.put_record(_model(id_, number, services.ids.uuid7()))

    answer = await client.post(f"{V1}/providers/{provider['id']}/sync-models")

    assert answer.status_code == 422
    assert len(await listed(client, provider)) == MODELS_MAX


def _model(provider_id: UUID, number: int, id_: UUID) -> OwnModel:
    return OwnModel(
        org_id=DEFAULT_ORG_ID,
        id=id_,
        owner_id=DEFAULT_ORG_ID,
        key=f"{provider_id}/{number}",
        provider_id=provider_id,
        model=str(number),
        display_name=str(number),
        created_ms=1,
        updated_ms=1,
    )


async def test_providers_of_the_house_and_of_nobody_are_not_asked(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    answers = [
        (await client.post(f"{V1}/providers/{id_}/sync-models")).status_code
        for id_ in ("provider_01933b5a000070008000000000000003", "provider_" + "0" * 32)
    ]

    assert answers == [403, 404]
    assert backend.tasks == {}


async def test_who_has_waited_long_enough_takes_the_question_back(
    backend: Backend, operator: FakeOperator
) -> None:
    services, clock = wired(backend, operator), ManualClock()
    asking = discovery.Asking(
        store=services.store,
        control=services.control,
        operator=operator,
        endings=services.endings,
        clock=clock,
        ids=services.ids,
    )
    del backend.at_once[LIST_MODELS]
    backend.on_look = lambda: clock.advance(60.0)
    async with services.store.transaction(DEFAULT_ORG_ID) as tx:
        id_ = ProviderId(services.ids.uuid7())
        draft = providers.ProviderDraft(name="Mine", driver="openai")
        await providers.put(tx, services.vault, DEFAULT_ORG_ID, id_, draft, now_ms=1)

    with pytest.raises(DeadlineExceeded):
        await discovery.sync(asking, DEFAULT_ORG_ID, id_, now_ms=1)

    (order,) = [one for one in operator.asked if isinstance(one, CancelPlainTask)]
    assert order.task_id in backend.tasks
