"""Memories: files that outlive sessions, an organization's own."""

from typing import ClassVar

from mainspring_api.domain.records import Record
from mainspring_api.domain.resources import Status
from mainspring_schema.messages import Json


class Memory(Record, frozen=True, kw_only=True):
    """Its key is its name while it is active, so that the name is free again afterwards.

    Its files are those of the workspace that bears its id.
    """

    kind: ClassVar[str] = "memory"

    name: str
    description: str | None = None
    source: Json | None = None
    status: Status = "active"
    archived_ms: int | None = None
    sync_error: str | None = None

    @property
    def source_type(self) -> str:
        if self.source is None:
            return "manual"
        return "github" if "repository" in self.source else "git"
