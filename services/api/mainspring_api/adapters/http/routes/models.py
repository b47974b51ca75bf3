"""/providers and /models: those of the house, and an organization's own"""

from typing import Literal

from msgspec import Struct

from mainspring_api.adapters.http.routing import (
    Call,
    NoBody,
    NoQuery,
    Reply,
    RouteTable,
    json_answer,
    json_reply,
    reply_of,
)
from mainspring_api.adapters.http.wire.models import (
    ModelBody,
    ModelOut,
    ModelPatch,
    ProviderBody,
    ProviderOut,
    ProviderPatch,
    SyncModelsOut,
    model_draft,
    model_out,
    own_model_out,
    own_provider_out,
    provider_draft,
    provider_out,
    sync_models_out,
)
from mainspring_api.domain import catalogue
from mainspring_api.domain.catalogue import Model, Provider
from mainspring_api.domain.providers import OwnModel, OwnProvider
from mainspring_api.ports.store import Transaction
from mainspring_api.usecases import discovery, providers
from mainspring_api.usecases.once import Answer, once, once_elsewhere
from mainspring_kernel.ids import ModelId, Prefix, ProviderId, from_wire

table = RouteTable("models")


class ModelList(Struct, frozen=True, kw_only=True):
    data: tuple[ModelOut, ...]


class ProviderList(Struct, frozen=True, kw_only=True):
    data: tuple[ProviderOut, ...]


class ModelsQuery(Struct, frozen=True, kw_only=True):
    source: Literal["manual", "discovered", "predefined"] | None = None
    include_stale: bool = False
    favorites_only: bool = False


AnyCall = Call[object, object]


def provider_id_of(call: AnyCall) -> ProviderId:
    return ProviderId(from_wire(Prefix.PROVIDER, call.path["provider_id"]))


def model_id_of(call: AnyCall) -> ModelId:
    return ModelId(from_wire(Prefix.MODEL, call.path["model_id"]))


def _usable(call: AnyCall, provider: Provider) -> bool:
    source = call.services.credentials
    return provider.key_name is None or bool(source.of(provider.id).api_key)


def _house_model(call: AnyCall, model: Model) -> ModelOut:
    return model_out(model, healthy=_usable(call, catalogue.PROVIDERS[model.provider_id]))


def _house_provider(call: AnyCall, provider: Provider) -> ProviderOut:
    base_url = call.services.credentials.of(provider.id).base_url or None
    return provider_out(provider, has_key=_usable(call, provider), base_url=base_url)


# ── providers ───────────────────────────────────────────────────────────────────────────────────


@table.route("GET", "/providers", answer=ProviderList)
async def list_providers(call: Call[NoBody, NoQuery]) -> Reply:
    """Those of the house first; keys are never shown."""
    async with call.services.store.transaction(call.org_id) as tx:
        own = await providers.list_all(tx, call.org_id)
    house = [_house_provider(call, provider) for provider in catalogue.PROVIDERS.values()]
    return json_reply(ProviderList(data=(*house, *(own_provider_out(one) for one in own))))


@table.route("POST", "/providers", body=ProviderBody, answer=ProviderOut, status=201)
async def create_provider(call: Call[ProviderBody, NoQuery]) -> Reply:
    """Adds a provider; its key is sealed and never read back."""
    services, draft = call.services, provider_draft(call.body, None)

    async def work(tx: Transaction) -> Answer:
        made = await providers.put(
            tx, services.vault, call.org_id, services.ids.uuid7(), draft, now_ms=call.now_ms
        )
        return json_answer(own_provider_out(made), status=201)

    return reply_of(await once(services.store, call.org_id, call.key, work))


@table.route("GET", "/providers/{provider_id:str}", answer=ProviderOut)
async def get_provider(call: Call[NoBody, NoQuery]) -> Reply:
    """One provider."""
    house = catalogue.PROVIDERS.get(provider_id_of(call))
    if house is not None:
        return json_reply(_house_provider(call, house))
    async with call.services.store.transaction(call.org_id) as tx:
        return json_reply(own_provider_out(await providers.get(tx, provider_id_of(call))))


@table.route(
    "PATCH",
    "/providers/{provider_id:str}",
    body=ProviderPatch,
    answer=ProviderOut,
    other_statuses=(403, 409),
)
async def update_provider(call: Call[ProviderPatch, NoQuery]) -> Reply:
    """Changes the members that are given; those of the house refuse."""
    vault = call.services.vault
    async with call.services.store.transaction(call.org_id) as tx:
        present = await providers.get(tx, provider_id_of(call), lock=True)
        draft = provider_draft(call.body, present)
        changed = await providers.put(tx, vault, call.org_id, present.id, draft, now_ms=call.now_ms)
    return json_reply(own_provider_out(changed))


@table.route("DELETE", "/providers/{provider_id:str}", status=204, other_statuses=(403, 409))
async def delete_provider(call: Call[NoBody, NoQuery]) -> Reply:
    """Removes a provider that has no models."""
    async with call.services.store.transaction(call.org_id) as tx:
        await providers.drop(tx, provider_id_of(call))
    return Reply(status=204)


@table.route("GET", "/providers/{provider_id:str}/models", answer=ModelList)
async def list_provider_models(call: Call[NoBody, NoQuery]) -> Reply:
    """The models of one provider."""
    house = catalogue.PROVIDERS.get(provider_id_of(call))
    if house is not None:
        models = catalogue.models_of_driver(house.driver)
        return json_reply(ModelList(data=tuple(_house_model(call, one) for one in models)))
    async with call.services.store.transaction(call.org_id) as tx:
        provider = await providers.get(tx, provider_id_of(call))
        own = await providers.list_models(tx, call.org_id)
    shown = [own_model_out(one, provider) for one in own if one.provider_id == provider.id]
    return json_reply(ModelList(data=tuple(shown)))


@table.route(
    "POST",
    "/providers/{provider_id:str}/sync-models",
    answer=SyncModelsOut,
    other_statuses=(403, 422, 502, 504),
)
async def sync_models(call: Call[NoBody, NoQuery]) -> Reply:
    """Asks the provider which models it has; where it does not answer, nothing is changed."""
    services, id_ = call.services, provider_id_of(call)
    asking = discovery.Asking(
        store=services.store,
        control=services.control,
        operator=services.operator,
        endings=services.endings,
        clock=services.clock,
        ids=services.ids,
    )

    async def work() -> Answer:
        provider, synced = await discovery.sync(asking, call.org_id, id_, now_ms=call.now_ms)
        return json_answer(sync_models_out(provider, synced), status=200)

    return reply_of(await once_elsewhere(services.store, call.org_id, call.key, work))


# ── models ──────────────────────────────────────────────────────────────────────────────────────


@table.route("GET", "/models", query=ModelsQuery, answer=ModelList)
async def list_models(call: Call[NoBody, ModelsQuery]) -> Reply:
    """The models an agent may name: those of the house first; stale ones on demand."""
    wanted = call.query
    async with call.services.store.transaction(call.org_id) as tx:
        own = await providers.list_models(tx, call.org_id)
        behind = {one.id: one for one in await providers.list_all(tx, call.org_id)}
    house = [_house_model(call, model) for model in catalogue.MODELS.values()]
    shown = [*house, *(own_model_out(one, behind[one.provider_id]) for one in own)]
    data = tuple(
        one
        for one in shown
        if wanted.source in {None, one.source}
        and (one.is_favorite or not wanted.favorites_only)
        and (wanted.include_stale or not one.stale)
    )
    return json_reply(ModelList(data=data))


@table.route("POST", "/models", body=ModelBody, answer=ModelOut, status=201, other_statuses=(403,))
async def create_model(call: Call[ModelBody, NoQuery]) -> Reply:
    """Adds a model of one of the organization's own providers."""
    services, draft = call.services, model_draft(call.body, None)
    provider_id = ProviderId(from_wire(Prefix.PROVIDER, call.body.provider_id))

    async def work(tx: Transaction) -> Answer:
        provider = await providers.get(tx, provider_id)
        id_ = services.ids.uuid7()
        made = await providers.put_model(tx, provider, id_, draft, now_ms=call.now_ms)
        return json_answer(own_model_out(made, provider), status=201)

    return reply_of(await once(services.store, call.org_id, call.key, work))


@table.route("GET", "/models/{model_id:str}", answer=ModelOut)
async def get_model(call: Call[NoBody, NoQuery]) -> Reply:
    """One model."""
    house = catalogue.MODELS.get(model_id_of(call))
    if house is not None:
        return json_reply(_house_model(call, house))
    async with call.services.store.transaction(call.org_id) as tx:
        model, provider = await _own(call, tx)
    return json_reply(own_model_out(model, provider))


async def _own(
    call: AnyCall, tx: Transaction, *, lock: bool = False
) -> tuple[OwnModel, OwnProvider]:
    model = await providers.model_of(tx, model_id_of(call), lock=lock)
    return model, await providers.get(tx, ProviderId(model.provider_id))


@table.route(
    "PATCH",
    "/models/{model_id:str}",
    body=ModelPatch,
    answer=ModelOut,
    other_statuses=(403, 409),
)
async def update_model(call: Call[ModelPatch, NoQuery]) -> Reply:
    """Changes the members that are given; those of the house refuse."""
    async with call.services.store.transaction(call.org_id) as tx:
        present, provider = await _own(call, tx, lock=True)
        draft = model_draft(call.body, present)
        changed = await providers.put_model(tx, provider, present.id, draft, now_ms=call.now_ms)
    return json_reply(own_model_out(changed, provider))


@table.route("DELETE", "/models/{model_id:str}", status=204, other_statuses=(403,))
async def delete_model(call: Call[NoBody, NoQuery]) -> Reply:
    """Removes a model; turns that would work with it fail, and say so."""
    async with call.services.store.transaction(call.org_id) as tx:
        await providers.drop_model(tx, model_id_of(call))
    return Reply(status=204)
