"""What a provider lists, brought together with what an organization has of it. Pure."""

from collections.abc import Callable, Iterable
from typing import Final
from uuid import UUID

from msgspec import Struct, structs

from mainspring_api.domain.providers import OwnModel, OwnProvider
from mainspring_schema.discovery import FoundModel, FoundModels

_OFFERED: Final = ("display_name", "profile")
"""What a provider says of a model beside its name."""


class Synced(Struct, frozen=True, kw_only=True):
    """The provider's models afterwards, and which of them are to be written.

    A model that people added is theirs: it is neither changed nor ever stale.
    """

    models: tuple[OwnModel, ...] = ()
    added: tuple[OwnModel, ...] = ()
    changed: tuple[OwnModel, ...] = ()
    found: int = 0
    skipped: int = 0


def merged(
    provider: OwnProvider,
    known: Iterable[OwnModel],
    found: FoundModels,
    *,
    new_id: Callable[[], UUID],
    now_ms: int,
) -> Synced:
    """`known` are models of the organization, whosever."""
    listed = {one.model: one for one in found.models}
    here = {one.model: one for one in known if one.provider_id == provider.id}
    kept = [_met(model, listed.get(name), now_ms) for name, model in here.items()]
    added = [
        _made(provider, one, new_id(), now_ms) for name, one in listed.items() if name not in here
    ]
    return Synced(
        models=(*added, *kept),
        added=tuple(added),
        changed=tuple(model for model in kept if model is not here[model.model]),
        found=len(found.models),
        skipped=found.skipped,
    )


def _made(provider: OwnProvider, found: FoundModel, id_: UUID, now_ms: int) -> OwnModel:
    return OwnModel(
        org_id=provider.org_id,
        id=id_,
        owner_id=provider.org_id,
        key=f"{provider.id}/{found.model}",
        provider_id=provider.id,
        model=found.model,
        display_name=found.display_name,
        profile=found.profile,
        source="discovered",
        created_ms=now_ms,
        updated_ms=now_ms,
    )


def _met(model: OwnModel, found: FoundModel | None, now_ms: int) -> OwnModel:
    """The very same model where nothing changes."""
    if model.source == "manual":
        return model
    new = structs.replace(model, stale=found is None)
    if found is not None:
        told = {name: getattr(found, name) for name in _OFFERED if name not in model.edited}
        new = structs.replace(new, **told)
    return model if new == model else structs.replace(new, updated_ms=now_ms)


def edited(known: OwnModel, changed: OwnModel) -> OwnModel:
    """`changed` by people: what they changed stays theirs, and all of it under another name."""
    if changed.model != known.model:
        return structs.replace(changed, source="manual", edited=frozenset(), stale=False)
    touched = {name for name in _OFFERED if getattr(known, name) != getattr(changed, name)}
    return structs.replace(
        changed, source=known.source, edited=known.edited | touched, stale=known.stale
    )
