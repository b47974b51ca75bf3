"""When new work is refused: too much of it waits already, or the engine is too busy. Pure.

Only new work is refused. What was accepted is carried on, whatever the load.
"""

from collections.abc import Mapping
from uuid import UUID

from mainspring_engine.domain.gate_limits import (
    DEPTH_ORG_TASKS_MAX,
    DEPTH_QUEUE_TASKS_MAX,
    DEPTH_RETRY_S_MAX,
    LOAD_OPEN,
    LOAD_SHUT,
)


class Valve:
    """Shuts above one load and opens only below a lower one, so that it does not flutter."""

    def __init__(self) -> None:
        self.shut = False

    def lets(self, load: float) -> bool:
        """Whether work is taken at this load, of 1."""
        self.shut = load >= LOAD_SHUT or (self.shut and load > LOAD_OPEN)
        return not self.shut


class Depths:
    """How many tasks wait, by queue and organization.

    Counted now and then; what came since is added, what was claimed since is subtracted, so a count
    is off only by what other engines did since.
    """

    def __init__(self) -> None:
        self._by_org: dict[tuple[str, UUID], int] = {}
        self._by_queue: dict[str, int] = {}
        self._claimed: dict[str, float] = {}
        """Tasks per second that were claimed of a queue, between the newest counts."""
        self._claims: dict[str, int] = {}

    def counted(self, depths: Mapping[tuple[str, UUID], int], *, seconds: float) -> None:
        """A count was made, `seconds` after the one before."""
        self._by_org = dict(depths)
        self._by_queue = {}
        for (queue, _), depth in depths.items():
            self._by_queue[queue] = self._by_queue.get(queue, 0) + depth
        self._claimed = {queue: n / max(seconds, 0.001) for queue, n in self._claims.items()}
        self._claims = {}

    def came(self, queue: str, org_id: UUID, count: int = 1) -> None:
        self._add(queue, org_id, count)

    def went(self, queue: str, org_id: UUID, count: int = 1) -> None:
        self._claims[queue] = self._claims.get(queue, 0) + count
        self._add(queue, org_id, -count)

    def _add(self, queue: str, org_id: UUID, count: int) -> None:
        key = (queue, org_id)
        before = self._by_org.get(key, 0)
        after = max(0, before + count)
        if after:
            self._by_org[key] = after
        else:
            self._by_org.pop(key, None)
        self._by_queue[queue] = max(0, self._by_queue.get(queue, 0) + after - before)

    def depth(self, queue: str, org_id: UUID) -> int:
        return self._by_org.get((queue, org_id), 0)

    def retry_after_s(
        self,
        queue: str,
        org_id: UUID,
        *,
        org_max: int = DEPTH_ORG_TASKS_MAX,
        queue_max: int = DEPTH_QUEUE_TASKS_MAX,
    ) -> float | None:
        """None where work is taken; otherwise how long what is too much takes at today's pace."""
        over = max(
            self.depth(queue, org_id) - org_max + 1, self._by_queue.get(queue, 0) - queue_max + 1
        )
        if over <= 0:
            return None
        pace = self._claimed.get(queue, 0.0)
        return min(DEPTH_RETRY_S_MAX, max(1.0, over / pace if pace else DEPTH_RETRY_S_MAX))
