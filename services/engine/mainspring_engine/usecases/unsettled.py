"""Rows that the next sweep leaves out: otherwise they would hide what is due behind them."""

from uuid import UUID

from mainspring_engine.domain.answers import Answer
from mainspring_engine.domain.limits import UNSETTLED_REST_S, UNSETTLED_ROWS_MAX
from mainspring_engine.usecases.lane import NoTicket
from mainspring_kernel.clock import Clock
from mainspring_kernel.errors import Unavailable


class Unsettled:
    """Rows in the lanes, which are due until their commit, and rows that could not be decided.

    Those rest for UNSETTLED_REST_S: their workflow is of a version that this engine cannot read,
    say.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._in_lanes: set[UUID] = set()
        self._resting: dict[UUID, float] = {}
        """Until when; all rest equally long, so the first one is the next."""

    def __contains__(self, id_: UUID) -> bool:
        return id_ in self._in_lanes or id_ in self._resting

    def ids(self) -> tuple[UUID, ...]:
        """What the next pass leaves out."""
        now_s = self._clock.mono()
        while self._resting:
            id_, until_s = next(iter(self._resting.items()))
            if until_s > now_s:
                break
            del self._resting[id_]
        return (*self._in_lanes, *self._resting)

    def take(self, id_: UUID) -> None:
        """It goes into a lane; `Settling` says how it comes out."""
        self._in_lanes.add(id_)

    def settled(self, id_: UUID) -> None:
        self._in_lanes.discard(id_)

    def refused(self, id_: UUID, error: Exception) -> None:
        """While the store is away nothing can be decided: that is no reason to wait longer."""
        self._in_lanes.discard(id_)
        if not isinstance(error, Unavailable) and len(self._resting) < UNSETTLED_ROWS_MAX:
            self._resting[id_] = self._clock.mono() + UNSETTLED_REST_S


class Settling(NoTicket):
    """The ticket of a row that a sweep found."""

    def __init__(self, session_id: UUID, id_: UUID, unsettled: Unsettled) -> None:
        super().__init__(session_id)
        self._id = id_
        self._unsettled = unsettled
        unsettled.take(id_)

    def done(self, answer: Answer) -> None:
        super().done(answer)
        self._unsettled.settled(self._id)

    def failed(self, error: Exception) -> None:
        super().failed(error)
        self._unsettled.refused(self._id, error)
