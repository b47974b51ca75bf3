"""What a provider offers. It is asked by a plain task: who holds a task gets a provider's key."""

from typing import Final

from msgspec import Struct

from mainspring_schema.messages import Json

LIST_MODELS: Final = "mainspring.list_models"
"""The type of the task that asks; its input is a `ListModels`, its result a `FoundModels`."""


class ListModels(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which provider is asked. Where, how and with what key stands with its credentials alone.

    For everybody may submit a task: one that named an address would have the key sent there.
    """

    provider_id: str


class FoundModel(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`profile` is what is known of it beside the provider's list; None where nothing is."""

    model: str
    display_name: str
    profile: Json | None = None


class FoundModels(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Each model once. `skipped` counts those that hold no conversation."""

    models: tuple[FoundModel, ...] = ()
    skipped: int = 0
