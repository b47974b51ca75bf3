"""Workflows as the API shows them."""

import msgspec
from msgspec import Struct, field

from mainspring_schema.workflows import Status


class Problem(Struct, frozen=True, kw_only=True):
    """Why a workflow failed."""

    code: str
    message: str = ""
    type: str = ""


class Waits(Struct, frozen=True, kw_only=True):
    """One thing that a workflow waits for."""

    step: str
    name: str
    kind: str
    workflow_id: str | None = None
    """Of the child that it waits for."""


def _null() -> msgspec.Raw:
    return msgspec.Raw(b"null")


class Description(Struct, frozen=True, kw_only=True):
    """A workflow as it is. `result` is JSON, there once it completed.

    One that `search` found has neither `result` nor `waits`, whatever its status; `describe` asks
    for them.
    """

    id: str
    type: str
    key: str
    queue: str
    status: Status
    created_at: str
    result: msgspec.Raw = field(default_factory=_null)
    error: Problem | None = None
    waits: tuple[Waits, ...] = ()
    explanation: str = ""
    parent_id: str | None = None
    forked_from: str | None = None
    version: str = ""
    """Of the declaration that it runs on, where it is declared."""

    @property
    def ended(self) -> bool:
        """Whether it has its outcome."""
        return self.status in ("completed", "failed", "cancelled")


class Page(Struct, frozen=True, kw_only=True):
    """Newest first. `next` is the `before` of the page that follows, which may be empty."""

    data: tuple[Description, ...]
    has_more: bool = False
    next: str | None = None
