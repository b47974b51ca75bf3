"""What an event listing may be narrowed by."""

from uuid import UUID

from msgspec import Struct


class EventFilter(Struct, frozen=True, kw_only=True):
    """All given conditions hold together; `types` first, then `exclude`.

    `after_seq` and `before_seq` are exclusive. Without `after_seq` the newest `limit` events are
    taken, with it the oldest; both come back ascending unless `descending`. Counting all that match
    costs as much as there are: unless it is to be `counted` the total is how many came.
    """

    types: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    after_seq: int | None = None
    before_seq: int | None = None
    around: int | None = None
    window: int = 50
    from_ms: int | None = None
    to_ms: int | None = None
    turn_id: UUID | None = None
    exec_id: str | None = None
    trace_id: str | None = None
    tags: tuple[str, ...] = ()
    tool_name: str | None = None
    text: str | None = None
    descending: bool = False
    limit: int = 100
    counted: bool = False
