"""Which waiting messages a turn takes, by the mode in which each was sent.

Messages that steer, interrupt, roll back or were for an idle session belong to whatever comes next;
those that are queued or collected wait for a turn of their own. Rows come in the order of their
places.
"""

from collections.abc import Sequence
from itertools import takewhile
from typing import Final
from uuid import UUID

from mainspring_engine.domain.rows import InboxRow

_LATER: Final = ("queue", "collect")


def steering(inbox: Sequence[InboxRow]) -> tuple[InboxRow, ...]:
    """What a turn at work takes with its next model call, and does not end without."""
    return tuple(row for row in inbox if row.mode not in _LATER)


def opening(inbox: Sequence[InboxRow]) -> tuple[InboxRow, ...]:
    """What the next turn begins with; empty where nothing waits."""
    return steering(inbox) or _group(inbox)


def inputs(inbox: Sequence[InboxRow], opener: UUID) -> tuple[InboxRow, ...]:
    """What a turn takes that has taken nothing yet: what it was opened for, and what steers."""
    places = {row.message_id: place for place, row in enumerate(inbox)}
    if opener not in places:
        return steering(inbox)
    group = {row.message_id for row in _group(inbox[places[opener] :])}
    return tuple(row for row in inbox if row.message_id in group or row.mode not in _LATER)


def _group(inbox: Sequence[InboxRow]) -> tuple[InboxRow, ...]:
    """The first alone; collected ones with those that follow."""
    if not inbox or inbox[0].mode != "collect":
        return tuple(inbox[:1])
    return tuple(takewhile(lambda row: row.mode == "collect", inbox))
