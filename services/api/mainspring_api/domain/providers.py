"""An organization's own providers and models, beside those of the house."""

from typing import ClassVar, Literal
from uuid import UUID

from msgspec import Struct, convert

from mainspring_api.domain.records import Record
from mainspring_api.domain.secrets import Sealed
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_schema.agents import ModelChoice, Prices
from mainspring_schema.messages import Json


class OwnProvider(Record, frozen=True, kw_only=True):
    """Its key is its name. Several may speak through one driver.

    `synced_ms` is when it last told its models.
    """

    kind: ClassVar[str] = "provider"

    driver: str
    base_url: str | None = None
    sealed: Sealed | None = None
    enabled: bool = True
    synced_ms: int | None = None

    @property
    def name(self) -> str:
        return self.key


class OwnModel(Record, frozen=True, kw_only=True):
    """Its owner is the organization, so that all are one list; its key joins provider and model.

    Of a discovered one, what is named in `edited` is people's, and a sync leaves it alone. It is
    `stale` where its provider did not list it any more.
    """

    kind: ClassVar[str] = "model"

    provider_id: UUID
    model: str
    display_name: str
    capabilities: tuple[str, ...] = ("chat",)
    enabled: bool = True
    favorite: bool = False
    profile: Json | None = None
    fallback_ids: tuple[UUID, ...] = ()
    """Models of the organization or the house that answer where this one does not."""
    source: Literal["manual", "discovered"] = "manual"
    edited: frozenset[str] = frozenset()
    stale: bool = False


def choice_of(
    model: OwnModel, provider: OwnProvider, fallbacks: tuple[ModelChoice, ...] = ()
) -> ModelChoice:
    profile = _profile(model)
    return ModelChoice(
        model_id=to_wire(Prefix.MODEL, model.id),
        model=model.model,
        provider_id=to_wire(Prefix.PROVIDER, provider.id),
        driver=provider.driver,
        provider=provider.name,
        base_url=provider.base_url,
        fallbacks=fallbacks,
        prices=profile.cost,
        sees=profile.attachment,
    )


class _Profile(Struct, frozen=True, kw_only=True):
    cost: Prices | None = None
    attachment: bool | None = None


def _profile(model: OwnModel) -> _Profile:
    """What counts of it for a turn; it was checked when it came in."""
    return _Profile() if model.profile is None else convert(model.profile, _Profile)
