"""An organization's own providers and models: created, changed, deleted, and chosen for a turn."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_api.domain import catalogue, discovery
from mainspring_api.domain.limits import MODELS_MAX, PROVIDERS_MAX
from mainspring_api.domain.providers import OwnModel, OwnProvider, choice_of
from mainspring_api.domain.secrets import about
from mainspring_api.domain.tiers import Tiers, folded_tiers
from mainspring_api.ports.store import Transaction
from mainspring_api.ports.vault import Vault
from mainspring_kernel.errors import (
    Conflict,
    NameTaken,
    NotFound,
    PermissionDenied,
    ValidationFailed,
)
from mainspring_kernel.ids import ModelId, OrgId, Prefix, ProviderId, from_wire, to_wire
from mainspring_schema.agents import ModelChoice
from mainspring_schema.messages import Json


class ProviderDraft(Struct, frozen=True, kw_only=True):
    """`api_key` of None leaves the present one."""

    name: str
    driver: str
    base_url: str | None = None
    api_key: str | None = None
    enabled: bool = True


class ModelDraft(Struct, frozen=True, kw_only=True):
    model: str
    display_name: str
    capabilities: tuple[str, ...] = ("chat",)
    enabled: bool = True
    favorite: bool = False
    profile: Json | None = None
    fallback_ids: tuple[UUID, ...] = ()


async def put(
    tx: Transaction, vault: Vault, org_id: OrgId, id_: UUID, draft: ProviderDraft, *, now_ms: int
) -> OwnProvider:
    """Makes a provider, or brings the one with the id up to date.

    Raises NameTaken, ValidationFailed where there are too many, and what the vault raises.
    """
    known = await tx.record(OwnProvider, id_, lock=True)
    if known is None and await tx.count_records(OwnProvider, org_id) >= PROVIDERS_MAX:
        msg = f"an organization has at most {PROVIDERS_MAX} providers"
        raise ValidationFailed(msg)
    provider = OwnProvider(
        org_id=org_id,
        id=id_,
        owner_id=org_id,
        key=draft.name,
        driver=draft.driver,
        base_url=draft.base_url,
        sealed=known.sealed if known else None,
        enabled=draft.enabled,
        synced_ms=known.synced_ms if known else None,
        created_ms=known.created_ms if known else now_ms,
        updated_ms=now_ms,
    )
    if draft.api_key is not None:
        sealed = vault.seal(draft.api_key, about=about(provider))
        provider = msgspec.structs.replace(provider, sealed=sealed)
    await tx.put_record(provider)
    await tx.renew_configurations()
    return provider


async def get(tx: Transaction, id_: ProviderId, *, lock: bool = False) -> OwnProvider:
    """Raises NotFound, PermissionDenied for one of the house."""
    if id_ in catalogue.PROVIDERS:
        msg = "providers of the house are configured where it is started"
        raise PermissionDenied(msg)
    provider = await tx.record(OwnProvider, id_, lock=lock)
    if provider is None:
        msg = "no such provider"
        raise NotFound(msg)
    return provider


async def list_all(tx: Transaction, org_id: OrgId) -> Sequence[OwnProvider]:
    """Newest first."""
    return await tx.records(OwnProvider, org_id, limit=PROVIDERS_MAX)


async def drop(tx: Transaction, id_: ProviderId) -> None:
    """Raises NotFound, PermissionDenied, Conflict while it has models."""
    provider = await get(tx, id_, lock=True)
    models = await tx.records(OwnModel, provider.org_id, limit=MODELS_MAX)
    if any(model.provider_id == provider.id for model in models):
        msg = "the provider has models; delete them first"
        raise Conflict(msg)
    await tx.drop_record(OwnProvider, provider.id)
    await tx.renew_configurations()


# ── models ──────────────────────────────────────────────────────────────────────────────────────


async def put_model(
    tx: Transaction, provider: OwnProvider, id_: UUID, draft: ModelDraft, *, now_ms: int
) -> OwnModel:
    """Makes a model, or brings the one with the id up to date.

    Raises NameTaken, ValidationFailed where there are too many or a fallback is none.
    """
    known = await tx.record(OwnModel, id_, lock=True)
    if known is None and await tx.count_records(OwnModel, provider.org_id) >= MODELS_MAX:
        msg = f"an organization has at most {MODELS_MAX} models"
        raise ValidationFailed(msg)
    await _check_fallbacks(tx, id_, draft.fallback_ids)
    model = OwnModel(
        org_id=provider.org_id,
        id=id_,
        owner_id=provider.org_id,
        key=f"{provider.id}/{draft.model}",
        provider_id=provider.id,
        model=draft.model,
        display_name=draft.display_name,
        capabilities=draft.capabilities,
        enabled=draft.enabled,
        favorite=draft.favorite,
        profile=draft.profile,
        fallback_ids=draft.fallback_ids,
        created_ms=known.created_ms if known else now_ms,
        updated_ms=now_ms,
    )
    if known is not None:
        model = discovery.edited(known, model)
    try:
        await tx.put_record(model)
    except NameTaken as error:  # The key is told there, which people do not know.
        msg = f"the provider {provider.name!r} has a model {draft.model!r}"
        raise NameTaken(msg) from error
    await tx.renew_configurations()
    return model


async def _check_fallbacks(tx: Transaction, id_: UUID, fallback_ids: tuple[UUID, ...]) -> None:
    if id_ in fallback_ids or len(set(fallback_ids)) < len(fallback_ids):
        msg = "the fallbacks of a model are other models, each named once"
        raise ValidationFailed(msg)
    for fallback in fallback_ids:
        if fallback not in catalogue.MODELS and await tx.record(OwnModel, fallback) is None:
            msg = f"no such model: {to_wire(Prefix.MODEL, fallback)}"
            raise ValidationFailed(msg)


async def model_of(tx: Transaction, id_: ModelId, *, lock: bool = False) -> OwnModel:
    """Raises NotFound, PermissionDenied for one of the house."""
    if id_ in catalogue.MODELS:
        msg = "models of the house are the same for everybody"
        raise PermissionDenied(msg)
    model = await tx.record(OwnModel, id_, lock=lock)
    if model is None:
        msg = "no such model"
        raise NotFound(msg)
    return model


async def list_models(tx: Transaction, org_id: OrgId) -> Sequence[OwnModel]:
    """Newest first."""
    return await tx.records(OwnModel, org_id, limit=MODELS_MAX)


async def drop_model(tx: Transaction, id_: ModelId) -> None:
    """Who works with it fails visibly. Raises NotFound, PermissionDenied."""
    model = await model_of(tx, id_, lock=True)
    await tx.drop_record(OwnModel, model.id)
    await tx.renew_configurations()


async def with_own_model(
    tx: Transaction, tiers: Tiers, message_model_id: str | None = None
) -> Tiers:
    """The tiers with the model they fold to, where it is one of the organization's own."""
    chosen = folded_tiers(tiers, message_model_id).model_id
    if chosen is None:
        return tiers
    own = await _usable(tx, from_wire(Prefix.MODEL, chosen.value))
    if own is None:
        return tiers
    fallbacks = [await _choice(tx, id_) for id_ in own[0].fallback_ids]
    there = tuple(choice for choice in fallbacks if choice is not None)
    return msgspec.structs.replace(tiers, own_model=choice_of(*own, there))


async def _choice(tx: Transaction, id_: UUID) -> ModelChoice | None:
    if id_ in catalogue.MODELS:
        return catalogue.model_choice(ModelId(id_))
    own = await _usable(tx, id_)
    return None if own is None else choice_of(*own)


async def _usable(tx: Transaction, id_: UUID) -> tuple[OwnModel, OwnProvider] | None:
    """A model of the organization's own with its provider, where neither is switched off."""
    model = await tx.record(OwnModel, id_) if id_ not in catalogue.MODELS else None
    provider = await tx.record(OwnProvider, model.provider_id) if model is not None else None
    if model is None or provider is None or not (model.enabled and provider.enabled):
        return None
    return model, provider
