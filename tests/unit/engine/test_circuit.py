"""Circuits: what trips them, who probes, what an engine lets through. No store, no time."""

from typing import get_args
from uuid import UUID

import msgspec
import pytest

from mainspring_engine.domain import circuit as rules
from mainspring_engine.domain.circuit import Circuit, CircuitMove, CircuitState, Sign
from mainspring_engine.domain.gate_limits import (
    CIRCUIT_ANSWERS_MAX,
    CIRCUIT_OPEN_S,
    CIRCUIT_OPEN_S_MAX,
    CIRCUIT_PROBE_S,
    CIRCUIT_PROBES_MAX,
    CIRCUIT_WINDOW_S,
)
from mainspring_engine.usecases.circuits import Circuits
from mainspring_kernel.clock import ManualClock
from mainspring_schema.tasks import ErrorClass, Failure

ME, OTHER = UUID(int=1), UUID(int=2)
KEY = "provider/model"
DOWN = Failure(error_class="transient", code="service_unavailable", message="503")
MANY = 100


def anybody(_circuit: str) -> bool:
    return True


def nobody(_circuit: str) -> bool:
    return False


class Engine:
    """An engine's circuits over a row that it alone moves."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.row = Circuit(key=KEY)
        self.moves: list[CircuitMove] = []
        self.circuits = Circuits(clock=self.clock, me=ME, move=self.moves.append)

    def answer(self, count: int, failure: Failure | None = None) -> None:
        for n in range(count):
            self.circuits.answered(KEY, UUID(int=1000 + n), failure)

    def commit(self, **other: object) -> None:
        """The newest move comes back as the row, or as what another engine made of it."""
        move = self.moves[-1]
        self.row = Circuit(
            key=KEY,
            rev=self.row.rev + 1,
            state=move.state,
            failures=move.failures,
            successes=move.successes,
            trips=move.trips,
            wait_ms=move.wait_ms,
            prober=move.prober,
        )
        self.row = msgspec.structs.replace(self.row, **other)
        self.moves.clear()
        self.circuits.update([self.row])

    def room(self) -> int:
        return self.circuits.room(KEY, MANY)

    def probes(self) -> None:
        """Opened, waited, half-open and mine."""
        self.answer(CIRCUIT_ANSWERS_MAX, DOWN)
        self.commit()
        self.clock.advance(CIRCUIT_OPEN_S)
        self.circuits.probe_due(anybody)
        self.commit()

    def send(self, task: int) -> UUID:
        task_id = UUID(int=task)
        self.circuits.reserve(KEY, 1)
        self.circuits.passed(KEY, task_id)
        return task_id


# ── what counts ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("error_class", get_args(ErrorClass))
def test_only_an_ailing_provider_counts_as_bad(error_class: ErrorClass) -> None:
    failure = Failure(error_class=error_class, code="c", message="m")

    assert (rules.sign_of(failure) is Sign.BAD) == (error_class in {"transient", "rate_limited"})
    assert rules.sign_of(None) is Sign.GOOD


def test_a_wrong_key_opens_nothing() -> None:
    engine = Engine()

    engine.answer(MANY, Failure(error_class="auth", code="provider_misconfigured", message=""))

    assert not engine.moves


def test_what_says_nothing_of_a_provider_hides_no_outage() -> None:
    engine = Engine()
    wrong = Failure(error_class="auth", code="provider_misconfigured", message="")

    for _ in range(4):
        engine.answer(CIRCUIT_ANSWERS_MAX, wrong)
        engine.answer(1, DOWN)
    assert not engine.moves
    engine.answer(1, DOWN)

    assert [move.failures for move in engine.moves] == [5]


def test_five_failures_of_six_open_and_four_do_not() -> None:
    engine = Engine()
    engine.answer(1)
    engine.answer(4, DOWN)
    assert not engine.moves

    engine.answer(1, DOWN)

    (move,) = engine.moves
    assert (move.state, move.failures, move.trips) == (CircuitState.OPEN, 5, 1)
    assert move.reason == "service_unavailable"


def test_a_busy_provider_may_fail_some() -> None:
    engine = Engine()

    for _ in range(50):
        engine.answer(2)
        engine.answer(1, DOWN)

    assert not engine.moves


def test_an_outage_shows_after_half_the_answers_that_are_kept() -> None:
    engine = Engine()
    engine.answer(1000)

    engine.answer(CIRCUIT_ANSWERS_MAX // 2, DOWN)

    assert len(engine.moves) == 1


def test_failures_of_a_past_window_are_forgotten() -> None:
    engine = Engine()
    engine.answer(4, DOWN)
    engine.clock.advance(CIRCUIT_WINDOW_S + 1)

    engine.answer(4, DOWN)

    assert not engine.moves


@pytest.mark.parametrize(
    ("trips", "retry_after_s", "seconds"),
    [
        (1, None, CIRCUIT_OPEN_S),
        (3, None, 4 * CIRCUIT_OPEN_S),
        (1, 90, 90),
        (99, None, CIRCUIT_OPEN_S_MAX),
        (1, 3600, CIRCUIT_OPEN_S_MAX),
    ],
)
def test_the_wait_doubles_obeys_the_provider_and_is_bounded(
    trips: int, retry_after_s: int | None, seconds: float
) -> None:
    asked = None if retry_after_s is None else retry_after_s * 1000

    assert rules.open_wait_ms(trips, asked) == seconds * 1000


# ── what passes ─────────────────────────────────────────────────────────────────────────────────


def test_an_open_circuit_lets_nothing_through_until_its_wait_is_over() -> None:
    engine = Engine()
    engine.answer(5, DOWN)
    engine.commit()

    engine.clock.advance(CIRCUIT_OPEN_S - 1)
    engine.circuits.probe_due(anybody)

    assert (engine.room(), engine.moves, engine.circuits.quiet) == (0, [], False)


def test_who_has_no_worker_for_what_waits_leaves_the_probing_to_others() -> None:
    engine = Engine()
    engine.answer(5, DOWN)
    engine.commit()
    engine.clock.advance(CIRCUIT_OPEN_S)

    engine.circuits.probe_due(nobody)

    assert engine.moves == []


def test_half_open_lets_as_many_through_as_may_probe_at_once() -> None:
    engine = Engine()
    engine.probes()
    assert engine.room() == CIRCUIT_PROBES_MAX

    engine.circuits.reserve(KEY, 1)
    engine.send(7)
    assert engine.room() == 0
    engine.circuits.unused(KEY, 1)

    assert engine.room() == 1


def test_the_probes_of_another_engine_let_nothing_through_here() -> None:
    engine = Engine()
    engine.answer(5, DOWN)
    engine.commit()
    engine.clock.advance(CIRCUIT_OPEN_S)
    engine.circuits.probe_due(anybody)

    engine.commit(prober=OTHER)

    assert engine.room() == 0


def test_good_probes_close_it() -> None:
    engine = Engine()
    engine.probes()
    probes = [engine.send(n) for n in range(CIRCUIT_PROBES_MAX)]

    for probe in probes:
        engine.circuits.answered(KEY, probe, None)
    engine.commit()

    assert engine.row.state is CircuitState.CLOSED
    assert (engine.room(), engine.row.trips, engine.circuits.quiet) == (MANY, 0, True)


def test_a_bad_probe_opens_it_for_longer() -> None:
    engine = Engine()
    engine.probes()

    engine.circuits.answered(KEY, engine.send(7), DOWN)

    (move,) = engine.moves
    assert (move.state, move.trips) == (CircuitState.OPEN, 2)
    assert move.wait_ms == 2 * CIRCUIT_OPEN_S * 1000


def test_what_left_before_it_opened_says_nothing() -> None:
    engine = Engine()
    engine.probes()

    engine.answer(MANY, DOWN)
    engine.answer(MANY)

    assert not engine.moves


def test_a_probe_that_says_nothing_makes_room_for_another() -> None:
    engine = Engine()
    engine.probes()
    cancelled = Failure(error_class="cancelled", code="cancelled", message="")

    engine.circuits.answered(KEY, engine.send(7), cancelled)
    engine.circuits.withdrawn(KEY, engine.send(8))

    assert engine.room() == CIRCUIT_PROBES_MAX


def test_probes_that_never_come_back_are_sent_again_after_their_time() -> None:
    engine = Engine()
    engine.probes()
    for n in range(CIRCUIT_PROBES_MAX):
        engine.send(n)

    engine.clock.advance(CIRCUIT_PROBE_S)
    engine.circuits.probe_due(anybody)
    engine.commit()

    assert engine.room() == CIRCUIT_PROBES_MAX


def test_what_an_operator_forced_stays() -> None:
    engine = Engine()
    for state, room in ((CircuitState.OPEN, 0), (CircuitState.CLOSED, MANY)):
        engine.moves.append(rules.forcing(engine.row, state, "by hand"))
        engine.commit(forced=True)

        engine.answer(MANY, DOWN)
        engine.clock.advance(10 * CIRCUIT_OPEN_S_MAX)
        engine.circuits.probe_due(anybody)

        assert (engine.room(), engine.moves) == (room, [])


def test_a_row_that_was_reset_is_forgotten() -> None:
    engine = Engine()
    engine.answer(5, DOWN)
    engine.commit()

    eased = engine.circuits.replace([])

    assert (eased, engine.room()) == ((KEY,), MANY)
    engine.answer(4, DOWN)
    assert not engine.moves


def test_an_older_row_changes_nothing() -> None:
    engine = Engine()
    engine.answer(5, DOWN)
    engine.commit()
    older = engine.row
    engine.clock.advance(CIRCUIT_OPEN_S)
    engine.circuits.probe_due(anybody)
    engine.commit()

    engine.circuits.update([older])

    assert engine.room() == CIRCUIT_PROBES_MAX
