"""Folded agents by their hashes, as the engine keeps them."""

from uuid import UUID

from msgspec import Struct

from mainspring_schema.asking import Question


class KeptConfigs(Struct, frozen=True, kw_only=True):
    """By hash; what the engine does not know is absent."""

    bodies: dict[bytes, bytes]


class GetConfigs(Question[KeptConfigs], frozen=True, kw_only=True, tag="get_configs"):
    """Of hashes that stand in the log of a session of the organization."""

    org_id: UUID
    hashes: tuple[bytes, ...]
