"""Records: small resources that are found by id, by owner or by key, and kept as a whole."""

from typing import ClassVar
from uuid import UUID

from msgspec import Struct

from mainspring_kernel.ids import OrgId


class Record(Struct, frozen=True, kw_only=True):
    """What all kinds have in common; each kind adds what it holds.

    `owner_id` is what the record belongs to, the organization's own id where it stands alone.
    `key` is unique below an owner, empty where the id is all there is. Of a kind that is `by_time`
    a fork of the owner has what the owner had then, under ids of its own.
    """

    kind: ClassVar[str]
    by_time: ClassVar[bool] = False

    org_id: OrgId
    id: UUID
    owner_id: UUID
    key: str = ""
    created_ms: int
    updated_ms: int
