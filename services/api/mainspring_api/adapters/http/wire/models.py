"""Providers and models on the wire: those of the house and an organization's own. Keys never."""

from typing import Annotated, Literal, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType

from mainspring_api.adapters.http.wire.tiers import Label
from mainspring_api.adapters.http.wire.versions import as_json
from mainspring_api.domain import catalogue
from mainspring_api.domain.catalogue import Model, Provider
from mainspring_api.domain.discovery import Synced
from mainspring_api.domain.limits import FALLBACKS_MAX
from mainspring_api.domain.providers import OwnModel, OwnProvider
from mainspring_api.usecases.providers import ModelDraft, ProviderDraft
from mainspring_kernel.ids import Prefix, from_wire, to_wire
from mainspring_kernel.times import rfc3339
from mainspring_schema.messages import Json

T = TypeVar("T")
_PUBLISHED = rfc3339(catalogue.CREATED_MS)
Driver = Literal["llmsim", "openai", "openai_completions", "anthropic", "gemini"]
ProviderName = Annotated[str, Meta(min_length=1, max_length=100)]
ModelName = Annotated[str, Meta(min_length=1, max_length=200)]
Url = Annotated[str, Meta(pattern="^https?://[^\\s]+$", max_length=500)]
ApiKey = Annotated[str, Meta(min_length=1, max_length=4000)]
Tags = Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=50)]

Fallbacks = Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=FALLBACKS_MAX)]


class ProviderPatch(Struct, frozen=True, kw_only=True):
    name: ProviderName | UnsetType = UNSET
    provider_type: Driver | UnsetType = UNSET
    base_url: Url | UnsetType | None = UNSET
    api_key: ApiKey | UnsetType = UNSET
    status: Literal["active", "disabled"] | UnsetType = UNSET


class ProviderBody(ProviderPatch, frozen=True, kw_only=True):
    name: ProviderName  # pyright: ignore[reportGeneralTypeIssues] -- required here, optional in a patch
    provider_type: Driver  # pyright: ignore[reportGeneralTypeIssues] -- required here, optional in a patch


class ProfileLimits(Struct, frozen=True, kw_only=True):
    """In tokens."""

    context: Annotated[int, Meta(ge=1)]
    output: Annotated[int, Meta(ge=1)]


class ProfileCost(Struct, frozen=True, kw_only=True):
    """In US dollars for a million tokens."""

    input: Annotated[float, Meta(ge=0)]
    output: Annotated[float, Meta(ge=0)]
    cache_read: Annotated[float, Meta(ge=0)] | UnsetType = UNSET
    cache_write: Annotated[float, Meta(ge=0)] | UnsetType = UNSET


class Profile(Struct, frozen=True, kw_only=True):
    """What a model can do; whoever gives one says all of it."""

    name: str
    family: str
    attachment: bool
    open_weights: bool
    reasoning: bool
    structured_output: bool
    temperature: bool
    tool_call: bool
    limits: ProfileLimits | UnsetType = UNSET
    cost: ProfileCost | UnsetType = UNSET


class ModelPatch(Struct, frozen=True, kw_only=True):
    model_id: ModelName | UnsetType = UNSET
    display_name: Label | UnsetType = UNSET
    capabilities: Tags | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    is_favorite: bool | UnsetType = UNSET
    profile: Profile | UnsetType | None = UNSET
    fallback_model_ids: Fallbacks | UnsetType = UNSET
    """Models that are asked in turn where this one fails."""


class ModelBody(ModelPatch, frozen=True, kw_only=True):
    provider_id: Annotated[str, Meta(max_length=64)]
    model_id: ModelName  # pyright: ignore[reportGeneralTypeIssues] -- required here, optional in a patch


class ModelOut(Struct, frozen=True, kw_only=True):
    """`healthy` says whether its provider has what it needs to be called.

    `stale`: its provider did not list it any more when it was last asked.
    """

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
    stale: bool = False
    profile: Json | None
    fallback_model_ids: tuple[str, ...]
    created_at: str
    updated_at: str


class ProviderOut(Struct, frozen=True, kw_only=True):
    """`managed`: one of the house, which is configured where the server is started."""

    id: str
    name: str
    provider_type: str
    base_url: str | None
    api_key_set: bool
    credentials_set: bool
    managed: bool
    status: Literal["active", "unconfigured", "disabled"]
    last_synced_at: str | None = None
    created_at: str
    updated_at: str


class SyncModelsOut(Struct, frozen=True, kw_only=True):
    """What a provider said of its models. `models` are those it has here afterwards.

    `found` counts what can be talked to, `skipped` the rest of its list; `added` and `updated` what
    changed here, `stale` what it did not list any more.
    """

    provider_id: str
    synced_at: str
    found: int
    added: int
    updated: int
    stale: int
    skipped: int
    models: tuple[ModelOut, ...]


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
        profile=None,
        fallback_model_ids=(),
        created_at=_PUBLISHED,
        updated_at=_PUBLISHED,
    )


def own_model_out(model: OwnModel, provider: OwnProvider) -> ModelOut:
    return ModelOut(
        id=to_wire(Prefix.MODEL, model.id),
        model_id=model.model,
        display_name=model.display_name,
        capabilities=model.capabilities,
        enabled=model.enabled,
        healthy=provider.enabled and is_usable(provider),
        is_favorite=model.favorite,
        provider_id=to_wire(Prefix.PROVIDER, provider.id),
        provider_name=provider.name,
        provider_type=provider.driver,
        source=model.source,
        stale=model.stale,
        profile=model.profile,
        fallback_model_ids=tuple(to_wire(Prefix.MODEL, one) for one in model.fallback_ids),
        created_at=rfc3339(model.created_ms),
        updated_at=rfc3339(model.updated_ms),
    )


def is_usable(provider: OwnProvider) -> bool:
    """Whether it can be called: a server of one's own may want no key."""
    return provider.sealed is not None or provider.driver == "llmsim" or bool(provider.base_url)


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


def own_provider_out(provider: OwnProvider) -> ProviderOut:
    usable = "active" if is_usable(provider) else "unconfigured"
    return ProviderOut(
        id=to_wire(Prefix.PROVIDER, provider.id),
        name=provider.name,
        provider_type=provider.driver,
        base_url=provider.base_url,
        api_key_set=provider.sealed is not None,
        credentials_set=is_usable(provider),
        managed=False,
        status=usable if provider.enabled else "disabled",
        last_synced_at=None if provider.synced_ms is None else rfc3339(provider.synced_ms),
        created_at=rfc3339(provider.created_ms),
        updated_at=rfc3339(provider.updated_ms),
    )


def sync_models_out(provider: OwnProvider, synced: Synced) -> SyncModelsOut:
    own = [model for model in synced.models if model.source == "discovered"]
    return SyncModelsOut(
        provider_id=to_wire(Prefix.PROVIDER, provider.id),
        synced_at=rfc3339(provider.synced_ms or 0),
        found=synced.found,
        added=len(synced.added),
        updated=len(synced.changed),
        stale=sum(model.stale for model in own),
        skipped=synced.skipped,
        models=tuple(own_model_out(model, provider) for model in synced.models),
    )


def set_or(value: T | UnsetType, present: T) -> T:
    return present if isinstance(value, UnsetType) else value


def provider_draft(body: ProviderPatch, present: OwnProvider | None) -> ProviderDraft:
    """What is left out stays, or has its default."""
    was = present or ProviderDraft(name="", driver="")
    return ProviderDraft(
        name=set_or(body.name, was.name),
        driver=set_or(body.provider_type, was.driver),
        base_url=set_or(body.base_url, was.base_url),
        api_key=set_or(body.api_key, None),
        enabled=set_or(body.status, "active" if was.enabled else "disabled") == "active",
    )


def model_draft(body: ModelPatch, present: OwnModel | None) -> ModelDraft:
    """What is left out stays, or has its default."""
    was = present or ModelDraft(model="", display_name="")
    model = set_or(body.model_id, was.model)
    profile = was.profile
    if not isinstance(body.profile, UnsetType):
        profile = None if body.profile is None else as_json(body.profile)
    fallback_ids = was.fallback_ids
    if not isinstance(body.fallback_model_ids, UnsetType):
        fallback_ids = tuple(from_wire(Prefix.MODEL, one) for one in body.fallback_model_ids)
    return ModelDraft(
        model=model,
        display_name=set_or(body.display_name, was.display_name or model),
        capabilities=tuple(set_or(body.capabilities, was.capabilities)),
        enabled=set_or(body.enabled, was.enabled),
        favorite=set_or(body.is_favorite, was.favorite),
        profile=profile,
        fallback_ids=fallback_ids,
    )
