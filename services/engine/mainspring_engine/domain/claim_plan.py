"""Which groups a claim looks at and how deep, and which it leaves for the next one. Pure."""

import math
from collections.abc import Iterable, Mapping
from typing import TypeVar
from uuid import UUID

from mainspring_engine.domain.backlog import Group, ReadyGroup
from mainspring_engine.domain.limits import CLAIM_DEPTH_SPARE, CLAIM_GROUPS_MAX
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.shares import Shares

T = TypeVar("T")


def by_route(pairs: Iterable[tuple[Route, T]]) -> dict[Route, list[T]]:
    """Of a claim with many routes each is looked at once."""
    found: dict[Route, list[T]] = {}
    for route, one in pairs:
        found.setdefault(route, []).append(one)
    return found


def groups_of(
    marks: Mapping[Group, UUID], slots: int, shares: Shares
) -> tuple[list[ReadyGroup], dict[Group, UUID]]:
    """The groups to choose `slots` tasks from, and those that are left for the next claim.

    Who is least ahead comes first, and of equals who waits longest. Each is read twice as deep as
    its even part of the slots: who is alone may still fill them all, in one more claim at most.
    """
    ordered = sorted(marks.items(), key=lambda item: (shares.lead(item[0].org_id), item[1].int))
    chosen, left = ordered[:CLAIM_GROUPS_MAX], ordered[CLAIM_GROUPS_MAX:]
    part = 2 * math.ceil(slots / max(1, len(chosen)))
    depth = min(slots, part) + CLAIM_DEPTH_SPARE
    found = [ReadyGroup(group=group, from_id=mark, depth=depth) for group, mark in chosen]
    return found, dict(left)


def left_of(
    groups: Iterable[ReadyGroup], taken: Iterable[tuple[Group, UUID]], *, all_of_them: bool
) -> dict[Group, UUID]:
    """The groups that may have more, their marks behind what was taken.

    A claim that did not fill its slots has emptied every group that it did not read to its depth.
    """
    counts: dict[Group, int] = {}
    marks: dict[Group, UUID] = {}
    for group, task_id in taken:
        counts[group] = counts.get(group, 0) + 1
        marks[group] = max(task_id, marks.get(group, task_id))
    return {
        ready.group: marks.get(ready.group, ready.from_id)
        for ready in groups
        if all_of_them or counts.get(ready.group, 0) >= ready.depth - CLAIM_DEPTH_SPARE
    }
