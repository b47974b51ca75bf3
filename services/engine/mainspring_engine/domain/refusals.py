"""Which workers found that their code does not fit what a workflow has recorded. Pure bookkeeping.

A record only grows, so a worker that refused it would do so again. The list is lost with its
process; then a worker is asked once more, which does no harm.
"""

from collections import OrderedDict
from uuid import UUID

from mainspring_engine.domain.limits import REFUSALS_AT_ONCE_MAX, REFUSED_WORKFLOWS_MAX

NOBODY: frozenset[UUID] = frozenset()


class Refusals:
    """By workflow; those that were refused longest ago are forgotten first."""

    def __init__(self) -> None:
        self._by: OrderedDict[UUID, frozenset[UUID]] = OrderedDict()
        self._times: dict[UUID, int] = {}

    def note(self, workflow_id: UUID, incarnation: UUID) -> bool:
        """Whether another worker may be asked at once: not for ever."""
        times = self._times.get(workflow_id, 0) + 1
        if times > REFUSALS_AT_ONCE_MAX:
            return False
        self._times[workflow_id] = times
        self._by[workflow_id] = self._by.pop(workflow_id, NOBODY) | {incarnation}
        if len(self._by) > REFUSED_WORKFLOWS_MAX:
            forgotten, _ = self._by.popitem(last=False)
            del self._times[forgotten]
        return True

    def of(self, workflow_id: UUID) -> frozenset[UUID]:
        return self._by.get(workflow_id, NOBODY)

    def forget(self, workflow_id: UUID) -> None:
        """It has ended."""
        if self._by.pop(workflow_id, None) is not None:
            del self._times[workflow_id]
