"""/models, /providers and /capabilities: what there is to choose from"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from mainspring_api.adapters.http.routing import (
    Call,
    NoBody,
    NoQuery,
    Reply,
    RouteTable,
    json_reply,
)
from mainspring_api.adapters.http.wire.tiers import ToolView, tool_view
from mainspring_api.domain import catalogue
from mainspring_api.domain.catalogue import Model, Provider
from mainspring_api.domain.naming import matches, tokens
from mainspring_api.ports.credentials import CredentialSource
from mainspring_harness.registry import CatalogueEntry
from mainspring_kernel import limits
from mainspring_kernel.errors import NotFound
from mainspring_kernel.ids import ModelId, OrgId, Prefix, ProviderId, from_wire, to_wire
from mainspring_kernel.times import rfc3339
from mainspring_schema.messages import Json

table = RouteTable("catalogue")
_PUBLISHED = rfc3339(catalogue.CREATED_MS)


class ModelOut(Struct, frozen=True, kw_only=True):
    """`healthy` says whether its provider has what it needs to be called."""

    id: str
    model_id: str
    display_name: str
    capabilities: tuple[str, ...]
    enabled: bool
    healthy: bool
    is_favorite: bool
    provider_id: str
    provider_name: str
    provider_type: str
    source: Literal["manual", "discovered", "predefined"]
    created_at: str
    updated_at: str


class ModelList(Struct, frozen=True, kw_only=True):
    data: tuple[ModelOut, ...]


class ProviderOut(Struct, frozen=True, kw_only=True):
    id: str
    name: str
    provider_type: str
    base_url: str | None
    api_key_set: bool
    credentials_set: bool
    managed: bool
    status: Literal["active", "unconfigured"]
    created_at: str
    updated_at: str


class ProviderList(Struct, frozen=True, kw_only=True):
    data: tuple[ProviderOut, ...]


class CapabilityOut(Struct, frozen=True, kw_only=True):
    id: str
    name: str
    description: str
    status: str
    category: str | None
    icon: str | None
    dependencies: tuple[str, ...]
    features: tuple[str, ...]
    config_schema: Json | None
    config_ui_schema: Json | None
    risk_level: str
    is_guardrail: bool
    is_mcp: bool
    is_skill: bool
    docs_slug: str | None
    tool_definitions: tuple[ToolView, ...]


class CapabilityPage(Struct, frozen=True, kw_only=True):
    data: tuple[CapabilityOut, ...]
    total: int
    offset: int
    limit: int


class CapabilityQuery(Struct, frozen=True, kw_only=True):
    search: Annotated[str, Meta(max_length=200)] | None = None
    offset: Annotated[int, Meta(ge=0, le=limits.RESUME_OFFSET_MAX)] = 0
    limit: Annotated[int, Meta(ge=1)] = limits.LIST_ROWS_MAX


class ModelsQuery(Struct, frozen=True, kw_only=True):
    source: Literal["manual", "discovered", "predefined"] | None = None
    include_stale: bool = False
    favorites_only: bool = False


# ── models and providers ────────────────────────────────────────────────────────────────────────


def usable(source: CredentialSource, org_id: OrgId, provider: Provider) -> bool:
    return provider.key_name is None or bool(source.of(org_id, provider.id).api_key)


def model_out(model: Model, *, healthy: bool) -> ModelOut:
    provider = catalogue.PROVIDERS[model.provider_id]
    return ModelOut(
        id=to_wire(Prefix.MODEL, model.id),
        model_id=model.model,
        display_name=model.display_name,
        capabilities=model.capabilities,
        enabled=True,
        healthy=healthy,
        is_favorite=False,
        provider_id=to_wire(Prefix.PROVIDER, provider.id),
        provider_name=provider.name,
        provider_type=provider.driver,
        source="predefined",
        created_at=_PUBLISHED,
        updated_at=_PUBLISHED,
    )


@table.route("GET", "/models", query=ModelsQuery, answer=ModelList)
async def list_models(call: Call[NoBody, ModelsQuery]) -> Reply:
    """The models an agent may name."""
    wanted = call.query
    none = wanted.favorites_only or wanted.source not in {None, "predefined"}
    models = () if none else tuple(catalogue.MODELS.values())
    return json_reply(ModelList(data=tuple(_model(call, model) for model in models)))


@table.route("GET", "/models/{model_id:str}", answer=ModelOut)
async def get_model(call: Call[NoBody, NoQuery]) -> Reply:
    """One model."""
    model = catalogue.MODELS.get(ModelId(from_wire(Prefix.MODEL, call.path["model_id"])))
    if model is None:
        msg = "no such model"
        raise NotFound(msg)
    return json_reply(_model(call, model))


def _model(call: Call[NoBody, ModelsQuery] | Call[NoBody, NoQuery], model: Model) -> ModelOut:
    provider = catalogue.PROVIDERS[model.provider_id]
    return model_out(model, healthy=usable(call.services.credentials, call.org_id, provider))


def provider_out(provider: Provider, *, has_key: bool, base_url: str | None) -> ProviderOut:
    return ProviderOut(
        id=to_wire(Prefix.PROVIDER, provider.id),
        name=provider.name,
        provider_type=provider.driver,
        base_url=base_url,
        api_key_set=has_key and provider.key_name is not None,
        credentials_set=has_key,
        managed=True,
        status="active" if has_key else "unconfigured",
        created_at=_PUBLISHED,
        updated_at=_PUBLISHED,
    )


def _provider(call: Call[NoBody, NoQuery], provider: Provider) -> ProviderOut:
    source = call.services.credentials
    base_url = source.of(call.org_id, provider.id).base_url or None
    return provider_out(provider, has_key=usable(source, call.org_id, provider), base_url=base_url)


@table.route("GET", "/providers", answer=ProviderList)
async def list_providers(call: Call[NoBody, NoQuery]) -> Reply:
    """The providers; keys are never shown."""
    data = tuple(_provider(call, provider) for provider in catalogue.PROVIDERS.values())
    return json_reply(ProviderList(data=data))


@table.route("GET", "/providers/{provider_id:str}", answer=ProviderOut)
async def get_provider(call: Call[NoBody, NoQuery]) -> Reply:
    """One provider."""
    return json_reply(_provider(call, _provider_of(call)))


@table.route("GET", "/providers/{provider_id:str}/models", answer=ModelList)
async def list_provider_models(call: Call[NoBody, NoQuery]) -> Reply:
    """The models of one provider."""
    provider = _provider_of(call)
    models = catalogue.models_of_driver(provider.driver)
    return json_reply(ModelList(data=tuple(_model(call, model) for model in models)))


def _provider_of(call: Call[NoBody, NoQuery]) -> Provider:
    id_ = ProviderId(from_wire(Prefix.PROVIDER, call.path["provider_id"]))
    provider = catalogue.PROVIDERS.get(id_)
    if provider is None:
        msg = "no such provider"
        raise NotFound(msg)
    return provider


# ── capabilities ────────────────────────────────────────────────────────────────────────────────


def capability_out(entry: CatalogueEntry) -> CapabilityOut:
    info = entry.info
    return CapabilityOut(
        id=info.id,
        name=info.name,
        description=info.description,
        status=info.status,
        category=info.category,
        icon=info.icon,
        dependencies=info.dependencies,
        features=info.features,
        config_schema=info.config_schema,
        config_ui_schema=info.config_ui_schema,
        risk_level=info.risk_level,
        is_guardrail=info.is_guardrail,
        is_mcp=False,
        is_skill=False,
        docs_slug=info.docs_slug,
        tool_definitions=tuple(tool_view(tool) for tool in entry.tool_definitions),
    )


@table.route("GET", "/capabilities", query=CapabilityQuery, answer=CapabilityPage)
async def list_capabilities(call: Call[NoBody, CapabilityQuery]) -> Reply:
    """The capabilities an agent may name."""
    wanted, query = tokens(call.query.search), call.query
    found = [
        entry
        for entry in call.services.registry.catalogue()
        if matches(wanted, entry.info.id, entry.info.name, entry.info.description)
    ]
    limit = min(query.limit, limits.LIST_ROWS_MAX)
    shown = found[query.offset : query.offset + limit]
    page = CapabilityPage(
        data=tuple(capability_out(entry) for entry in shown),
        total=len(found),
        offset=query.offset,
        limit=limit,
    )
    return json_reply(page)


@table.route("GET", "/capabilities/{capability_id:str}", answer=CapabilityOut)
async def get_capability(call: Call[NoBody, NoQuery]) -> Reply:
    """One capability."""
    for entry in call.services.registry.catalogue():
        if call.path["capability_id"] in {entry.info.id, *entry.info.aliases}:
            return json_reply(capability_out(entry))
    msg = "no such capability"
    raise NotFound(msg)
