"""When calls of a provider's model, or of a named service, are held back and tried again. Pure.

A circuit belongs to one key: the provider and model of a route, or the name that its tasks give.
Closed lets everything through; open lets nothing through until its wait is over; half-open lets a
few probes through, from one engine. Open and half-open close a route for claiming: tasks stay
ready, no attempt is burned.
"""

from collections import deque
from enum import Enum, IntEnum
from typing import Final
from uuid import UUID

from msgspec import Struct

from mainspring_engine.domain.gate_limits import (
    CIRCUIT_ANSWERS_MAX,
    CIRCUIT_FAILED_PART_MIN,
    CIRCUIT_FAILURES_MIN,
    CIRCUIT_OPEN_S,
    CIRCUIT_OPEN_S_MAX,
    CIRCUIT_PROBE_S,
    CIRCUIT_WINDOW_S,
)
from mainspring_engine.domain.texts import cut
from mainspring_schema.tasks import Failure

REASON_BYTES_MAX: Final = 256
"""A code, or a few words of an operator: all engines read it with the board."""


class CircuitState(IntEnum):
    CLOSED = 1
    OPEN = 2
    HALF_OPEN = 3


class Circuit(Struct, frozen=True, kw_only=True):
    """The shared row; engines read it, and change it by compare-and-set only. Rev 0: no row yet.

    `forced` was set by an operator and is left by an operator alone. `trips` counts openings since
    it was closed last, `wait_ms` is what is left of the open wait, or of the prober's time.
    """

    key: str
    rev: int = 0
    state: CircuitState = CircuitState.CLOSED
    forced: bool = False
    failures: int = 0
    successes: int = 0
    trips: int = 0
    reason: str = ""
    wait_ms: int = 0
    prober: UUID | None = None
    last_failure_ms: int | None = None
    opened_ms: int | None = None
    half_open_ms: int | None = None


class CircuitMove(Struct, frozen=True, kw_only=True):
    """A transition, refused where the row's rev is another. The store stamps the times."""

    key: str
    expected_rev: int
    state: CircuitState
    forced: bool = False
    failures: int = 0
    successes: int = 0
    trips: int = 0
    reason: str = ""
    wait_ms: int = 0
    prober: UUID | None = None


class Sign(Enum):
    """What an answer says about the provider's health."""

    GOOD = 1
    BAD = 2
    NONE = 3


_BAD: Final = frozenset({"transient", "rate_limited"})
"""It sheds load or cannot be reached: every further call makes it worse."""
_GOOD: Final = frozenset({"invalid_request", "context_overflow", "model_output"})
"""It answered; what was wrong is the request's own."""


def sign_of(failure: Failure | None) -> Sign:
    """A wrong key, a cancel and what nobody can name say nothing: such turns fail visibly."""
    if failure is None or failure.error_class in _GOOD:
        return Sign.GOOD
    return Sign.BAD if failure.error_class in _BAD else Sign.NONE


class Tally:
    """The newest answers that one engine saw of one key. Times are monotonic seconds."""

    __slots__ = ("_answers",)

    def __init__(self) -> None:
        self._answers: deque[tuple[float, bool]] = deque(maxlen=CIRCUIT_ANSWERS_MAX)

    def add(self, sign: Sign, now_s: float) -> None:
        if sign is not Sign.NONE:
            self._answers.append((now_s, sign is Sign.BAD))

    def tripped(self, now_s: float) -> int:
        """How many failed where that is too many and too large a part; 0 where it is not."""
        recent = [bad for at, bad in self._answers if now_s - at <= CIRCUIT_WINDOW_S]
        failed = sum(recent)
        if failed < CIRCUIT_FAILURES_MIN or failed < CIRCUIT_FAILED_PART_MIN * len(recent):
            return 0
        return failed


def open_wait_ms(trips: int, retry_after_ms: int | None) -> int:
    """Doubles with each opening in a row, and is at least what the provider asked for."""
    doubled = CIRCUIT_OPEN_S * 2.0 ** min(trips - 1, 10)
    wanted = max(doubled, (retry_after_ms or 0) / 1000)
    return round(min(wanted, CIRCUIT_OPEN_S_MAX) * 1000)


def opening(circuit: Circuit, failure: Failure, failures: int) -> CircuitMove:
    """Too much failed, or a probe did."""
    trips = circuit.trips + 1
    return CircuitMove(
        key=circuit.key,
        expected_rev=circuit.rev,
        state=CircuitState.OPEN,
        failures=failures,
        trips=trips,
        reason=cut(failure.code, REASON_BYTES_MAX),
        wait_ms=open_wait_ms(trips, failure.retry_after_ms),
    )


def probing(circuit: Circuit, prober: UUID) -> CircuitMove:
    """This engine alone sends probes now, for a bounded time; then another may."""
    return CircuitMove(
        key=circuit.key,
        expected_rev=circuit.rev,
        state=CircuitState.HALF_OPEN,
        failures=circuit.failures,
        trips=circuit.trips,
        reason=circuit.reason,
        wait_ms=round(CIRCUIT_PROBE_S * 1000),
        prober=prober,
    )


def closing(circuit: Circuit, successes: int) -> CircuitMove:
    """The probes came back well."""
    return CircuitMove(
        key=circuit.key,
        expected_rev=circuit.rev,
        state=CircuitState.CLOSED,
        successes=successes,
    )


def forcing(circuit: Circuit, state: CircuitState, reason: str) -> CircuitMove:
    """An operator's word; it holds until it is reset."""
    return CircuitMove(
        key=circuit.key,
        expected_rev=circuit.rev,
        state=state,
        forced=True,
        failures=circuit.failures,
        trips=circuit.trips,
        reason=cut(reason, REASON_BYTES_MAX),
    )
