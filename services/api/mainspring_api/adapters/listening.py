"""Tells event listeners of what api commits to a log: the first event of each session."""

from collections.abc import Sequence

from mainspring_api.ports.store import Opened
from mainspring_runtime.listeners import CommittedEvent, Listeners
from mainspring_schema.events import StoredEvent
from mainspring_schema.grants import OpenHead


def telling(listeners: Listeners) -> Opened:
    """For a store, which calls it after its commits."""

    def tell(opened: Sequence[OpenHead], /) -> None:
        listeners.publish([_first(head) for head in opened])

    return tell


def _first(head: OpenHead) -> CommittedEvent:
    return CommittedEvent(
        org_id=head.org_id,
        session_id=head.session_id,
        event=StoredEvent(seq=1, type=head.type, ts_ms=head.ts_ms, payload=head.payload),
    )
