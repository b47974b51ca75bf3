"""How credits are shared between organizations: start-time fair queueing. Pure.

Each task that an organization is given moves it ahead by 1 / weight. The clock is the place of the
task given last. An organization that was idle starts at the clock, so nobody saves credit up, and
nobody owes any.
"""

from collections.abc import Iterable, Mapping
from uuid import UUID

from mainspring_engine.domain.limits import SHARES_REMEMBERED_MAX


class Shares:
    """Of one engine. Several engines share fairly because each does."""

    def __init__(self) -> None:
        self._now = 0.0
        self._ahead: dict[UUID, float] = {}
        self._weights: dict[UUID, float] = {}

    @property
    def remembered(self) -> int:
        return len(self._ahead)

    def weigh(self, weights: Mapping[UUID, float]) -> None:
        """The weights that differ from 1."""
        self._weights = dict(weights)

    def weight(self, org_id: UUID) -> float:
        return self._weights.get(org_id, 1.0)

    def lead(self, org_id: UUID) -> float:
        """By how many tasks of weight 1 it is ahead of the clock."""
        return max(0.0, self._ahead.get(org_id, 0.0) - self._now)

    def given(self, org_ids: Iterable[UUID]) -> None:
        """Tasks went out, in this order."""
        for org_id in org_ids:
            place = max(self._now, self._ahead.get(org_id, 0.0))
            self._ahead[org_id] = place + 1.0 / self.weight(org_id)
            self._now = max(self._now, place)
        if len(self._ahead) > SHARES_REMEMBERED_MAX:
            self._ahead = {o: place for o, place in self._ahead.items() if place > self._now}
