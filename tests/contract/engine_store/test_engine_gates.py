"""What holds tasks back: one suite for the board in Postgres and in memory."""

import asyncio
import threading
from collections.abc import Callable
from typing import cast
from uuid import UUID

import msgspec
import pytest

from mainspring_engine.adapters.memory import MemoryGates
from mainspring_engine.adapters.memory import gates as memory_gates
from mainspring_engine.adapters.memory.tables import Tables
from mainspring_engine.adapters.postgres import PostgresGates
from mainspring_engine.adapters.postgres import gates as postgres_gates
from mainspring_engine.domain import circuit as rules
from mainspring_engine.domain.circuit import Circuit, CircuitMove, CircuitState
from mainspring_engine.domain.gate_limits import CIRCUIT_ENTRIES_MAX
from mainspring_engine.domain.limit import KeyLimit, with_rate
from mainspring_engine.ports.gates import Board, Drawn, GateStore, TokenDraw
from mainspring_engine.usecases import gate_control
from mainspring_engine.usecases.gates import Gates
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.errors import ValidationFailed
from mainspring_schema.gates import SetCircuit, SetLimit
from mainspring_schema.tasks import Failure
from mainspring_testkit.scripts import run_script
from tests.contract.engine_store.engine_worlds import IDS, PostgresWorld

DOWN = Failure(error_class="transient", code="provider_overloaded", message="overloaded")
DAY_MS = 86_400_000  # a rate so slow that no token comes back while a test looks
ME, OTHER = IDS.uuid7(), IDS.uuid7()


@pytest.fixture(params=["memory", "postgres"])
def gates(request: pytest.FixtureRequest) -> GateStore:
    if cast("str", request.param) == "memory":
        return MemoryGates(Tables(), lock=threading.RLock(), clock=ManualClock())
    world = cast("PostgresWorld", request.getfixturevalue("postgres_world"))
    return PostgresGates(world.database)


@pytest.fixture
def key() -> str:
    """Of a provider that no other test of the module's database uses."""
    return f"provider_{IDS.uuid4().hex}/model"


async def stored(gates: GateStore, key: str) -> Circuit | None:
    board = await gates.board()
    return next((circuit for circuit in board.circuits if circuit.key == key), None)


async def opened(gates: GateStore, key: str) -> Circuit:
    move = rules.opening(Circuit(key=key), DOWN, 5)
    (circuit,) = (await gates.move_circuits((move,))).circuits
    return circuit


async def test_an_opened_circuit_says_why_and_for_how_long(gates: GateStore, key: str) -> None:
    circuit = await opened(gates, key)

    assert (circuit.state, circuit.forced, circuit.prober) == (CircuitState.OPEN, False, None)
    assert (circuit.failures, circuit.trips, circuit.reason) == (5, 1, "provider_overloaded")
    assert 25_000 < circuit.wait_ms <= 30_000
    assert circuit.opened_ms is not None
    assert circuit.last_failure_ms == circuit.opened_ms
    found = await stored(gates, key)
    assert found is not None
    assert msgspec.structs.replace(found, wait_ms=circuit.wait_ms) == circuit


async def test_every_change_raises_the_version_which_is_the_rev_of_what_changed(
    gates: GateStore, key: str
) -> None:
    before = (await gates.board()).version

    circuit = await opened(gates, key)

    after = await gates.board()
    assert before < circuit.rev == after.version
    assert await gates.reset_circuit(key)
    assert (await gates.board()).version > after.version
    assert await stored(gates, key) is None


async def test_a_move_from_another_rev_changes_nothing(gates: GateStore, key: str) -> None:
    circuit = await opened(gates, key)
    late = rules.forcing(Circuit(key=key), CircuitState.CLOSED, "late")
    older = rules.forcing(
        msgspec.structs.replace(circuit, rev=circuit.rev - 1), CircuitState.CLOSED, "older"
    )

    answers = [(await gates.move_circuits((move,))).circuits[0] for move in (late, older)]

    assert {answer.rev for answer in answers} == {circuit.rev}
    assert {answer.state for answer in answers} == {CircuitState.OPEN}


async def test_of_two_engines_that_would_probe_one_does(gates: GateStore, key: str) -> None:
    circuit = await opened(gates, key)

    async def probe(engine: UUID) -> Circuit:
        return (await gates.move_circuits((rules.probing(circuit, engine),))).circuits[0]

    first, second = await asyncio.gather(probe(ME), probe(OTHER))

    assert first.prober == second.prober
    assert first.state is CircuitState.HALF_OPEN
    assert first.half_open_ms is not None
    assert first.opened_ms == circuit.opened_ms


async def test_a_circuit_goes_round(gates: GateStore, key: str) -> None:
    moves: list[Callable[[Circuit], rules.CircuitMove]] = [
        lambda circuit: rules.probing(circuit, ME),
        lambda circuit: rules.opening(circuit, DOWN, 6),
        lambda circuit: rules.probing(circuit, OTHER),
        lambda circuit: rules.closing(circuit, 2),
    ]
    circuit = await opened(gates, key)
    seen: list[tuple[CircuitState, int, int]] = []

    for move in moves:
        (circuit,) = (await gates.move_circuits((move(circuit),))).circuits
        seen.append((circuit.state, circuit.trips, circuit.successes))

    assert seen == [
        (CircuitState.HALF_OPEN, 1, 0),
        (CircuitState.OPEN, 2, 0),
        (CircuitState.HALF_OPEN, 2, 0),
        (CircuitState.CLOSED, 0, 2),
    ]


async def test_several_keys_move_in_one_call_and_apart_from_then_on(
    gates: GateStore, key: str
) -> None:
    keys = [f"{key}-{n}" for n in range(3)]

    board = await gates.move_circuits(
        tuple(rules.forcing(Circuit(key=k), CircuitState.OPEN, "by hand") for k in keys)
    )

    assert sorted(circuit.key for circuit in board.circuits) == keys
    assert all(circuit.forced and circuit.last_failure_ms is None for circuit in board.circuits)
    await gates.move_circuits((rules.forcing(board.circuits[0], CircuitState.CLOSED, "well"),))
    assert [await stored(gates, one.key) for one in board.circuits[1:]] == [*board.circuits[1:]]


async def test_what_is_not_there_cannot_be_reset(gates: GateStore, key: str) -> None:
    assert not await gates.reset_circuit(key)


# ── limits ──────────────────────────────────────────────────────────────────────────────────────


async def limited(gates: GateStore, key: str, rate: int, per_ms: int = 60_000) -> KeyLimit:
    await gates.set_limit(with_rate(KeyLimit(key=key, at_once=7), rate, per_ms))
    (limit,) = await gates.limits((key,))
    return limit


async def drawn(
    gates: GateStore, key: str, wanted: int, returned: int = 0, drawn_us: int = 0
) -> Drawn:
    draw = TokenDraw(key=key, wanted=wanted, returned=returned, drawn_us=drawn_us)
    (found,) = await gates.draw_tokens((draw,))
    return found


async def test_a_limit_is_on_the_board_until_it_is_dropped(gates: GateStore, key: str) -> None:
    limit = await limited(gates, key, 60)

    board = await gates.board()
    (shown,) = [one for one in board.limits if one.key == key]
    assert (shown.at_once, shown.rate, shown.per_ms, shown.rev) == (7, 60, 60_000, board.version)
    assert (limit.running, limit.tokens) == (0, 6)
    assert await gates.drop_limit(key)
    assert not await gates.drop_limit(key)
    assert await gates.limits((key,)) == ()


async def test_a_bucket_gives_what_it_has_and_says_when_to_ask_again(
    gates: GateStore, key: str
) -> None:
    limit = await limited(gates, key, 60, per_ms=DAY_MS)

    first, second = await drawn(gates, key, 4), await drawn(gates, key, 4)

    assert (first.granted, first.wait_ms) == (4, 0)
    assert second.granted == 2
    assert limit.every_ms is not None
    assert 0 < second.wait_ms <= limit.every_ms + 1


async def test_returned_tokens_are_given_again_but_never_more_than_a_full_bucket(
    gates: GateStore, key: str
) -> None:
    await limited(gates, key, 60, per_ms=DAY_MS)
    first = await drawn(gates, key, 6)

    some = await drawn(gates, key, 9, returned=3, drawn_us=first.drawn_us)
    many = await drawn(gates, key, 99, returned=50, drawn_us=some.drawn_us)

    assert (some.granted, many.granted) == (3, 6)


async def test_tokens_that_come_back_late_are_worth_what_the_bucket_had_no_room_for(
    gates: GateStore, key: str
) -> None:
    """The bucket might have been full meanwhile, and got what somebody else has taken since."""
    limit = await limited(gates, key, 60, per_ms=DAY_MS)
    assert limit.every_ms is not None
    first = await drawn(gates, key, 6)
    before_us = first.drawn_us - round(1.5 * limit.every_ms * 1000)

    late = await drawn(gates, key, 9, returned=3, drawn_us=before_us)
    lost = await drawn(gates, key, 9, returned=1, drawn_us=before_us)

    assert (late.granted, lost.granted) == (1, 0)


async def test_engines_that_draw_at_once_get_no_more_than_there_is(
    gates: GateStore, key: str
) -> None:
    await limited(gates, key, 200, per_ms=DAY_MS)

    found = await asyncio.gather(*(drawn(gates, key, 5) for _ in range(12)))

    assert sum(one.granted for one in found) == 20


async def test_a_smaller_limit_empties_its_bucket_and_a_larger_one_does_not_fill_it(
    gates: GateStore, key: str
) -> None:
    await limited(gates, key, 100, per_ms=DAY_MS)
    smaller = await limited(gates, key, 20, per_ms=DAY_MS)
    larger = await limited(gates, key, 100, per_ms=DAY_MS)

    assert (smaller.tokens, smaller.burst) == (2, 2)
    assert larger.tokens < 3


async def test_a_key_without_a_rate_has_no_bucket(gates: GateStore, key: str) -> None:
    await gates.set_limit(KeyLimit(key=key, at_once=3))

    assert await gates.draw_tokens((TokenDraw(key=key, wanted=1),)) == ()


async def test_weights_are_on_the_board_where_they_are_not_everybodys(gates: GateStore) -> None:
    org_id = IDS.uuid7()

    await gates.set_weight(org_id, 3.0)
    heavy = await gates.board()
    await gates.set_weight(org_id, 1.0)

    assert heavy.weights[org_id] == 3.0
    assert org_id not in (await gates.board()).weights


async def test_what_holds_tasks_is_on_the_board_whatever_has_moved_since(
    gates: GateStore, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (memory_gates, postgres_gates):
        monkeypatch.setattr(module, "CIRCUIT_ENTRIES_MAX", 2)
    forced = rules.forcing(Circuit(key=key), CircuitState.OPEN, "by hand")
    await gates.move_circuits((forced,))
    for number in range(3):
        circuit = await opened(gates, f"{key}-{number}")
        await gates.move_circuits((rules.forcing(circuit, CircuitState.CLOSED, "well again"),))
        await gates.reset_circuit(circuit.key)
        await gates.move_circuits((rules.opening(Circuit(key=circuit.key), DOWN, 5),))

    circuit = await stored(gates, key)

    assert circuit is not None
    assert (circuit.state, circuit.forced) == (CircuitState.OPEN, True)


async def test_a_clock_that_steps_back_gives_no_fewer_than_no_tokens() -> None:
    clock = ManualClock()
    gates = MemoryGates(Tables(), lock=threading.RLock(), clock=clock)
    await gates.set_limit(with_rate(KeyLimit(key="k"), 1000, 1000))

    clock.step_wall(-30_000)
    (drawn,) = await gates.draw_tokens((TokenDraw(key="k", wanted=5),))

    assert drawn.granted == 5


async def test_a_bucket_filled_later_than_now_gives_no_fewer_than_no_tokens(
    postgres_world: PostgresWorld, key: str
) -> None:
    gates = PostgresGates(postgres_world.database)
    await gates.set_limit(with_rate(KeyLimit(key=key), 1000, 1000))
    await run_script(
        postgres_world.owner,
        "update engine.bucket set filled_at = filled_at + interval '2 s', tokens = 0",
    )

    (drawn,) = await gates.draw_tokens((TokenDraw(key=key, wanted=5),))

    assert drawn.granted == 0


async def test_a_limit_above_what_engines_read_is_refused(
    gates: GateStore, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = len((await gates.board()).limits)
    monkeypatch.setattr(gate_control, "LIMIT_ENTRIES_MAX", known + 1)
    control = gate_control.GateControl(gates, lambda: None)
    await control.set_limit(SetLimit(key=key, at_once=1))

    with pytest.raises(ValidationFailed, match="no more are kept"):
        await control.set_limit(SetLimit(key=f"{key}-too", at_once=1))

    assert (await control.set_limit(SetLimit(key=key, at_once=2))).at_once == 2


async def test_more_circuits_set_by_hand_than_engines_read_are_refused(
    gates: GateStore, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = sum(circuit.forced for circuit in (await gates.board()).circuits)
    monkeypatch.setattr(gate_control, "CIRCUITS_FORCED_MAX", known + 1)
    control = gate_control.GateControl(gates, lambda: None)
    await control.set_circuit(SetCircuit(key=key, action="open"))

    with pytest.raises(ValidationFailed, match="no more are kept"):
        await control.set_circuit(SetCircuit(key=f"{key}-too", action="open"))

    assert (await control.set_circuit(SetCircuit(key=key, action="close"))).state == "closed"
    await control.set_circuit(SetCircuit(key=key, action="reset"))
    assert (await control.set_circuit(SetCircuit(key=f"{key}-too", action="open"))).forced


async def test_a_circuit_is_read_by_its_key_however_many_there_are(
    gates: GateStore, key: str
) -> None:
    first = await opened(gates, key)
    crowd = tuple(
        rules.opening(Circuit(key=f"{key}-{n}"), DOWN, 5) for n in range(CIRCUIT_ENTRIES_MAX)
    )
    await gates.move_circuits(crowd)

    found = await gates.circuits((key, f"{key}-none"))

    assert await stored(gates, key) is None
    assert [(one.key, one.rev, one.state) for one in found] == [(key, first.rev, first.state)]
    assert await gates.circuits(()) == ()
    (view,) = await gate_control.GateControl(gates, lambda: None).circuits((key, f"{key}-none"))
    assert (view.key, view.state) == (key, "open")


async def test_a_circuit_that_is_crowded_out_of_the_board_still_holds(
    gates: GateStore, key: str
) -> None:
    def begun() -> Gates:
        return Gates(
            store=gates, moved=lambda: None, clock=ManualClock(), me=ME, able=lambda _: False
        )

    engine = begun()
    await opened(gates, key)
    await engine.read()
    await gates.move_circuits(
        tuple(rules.opening(Circuit(key=f"{key}-{n}"), DOWN, 5) for n in range(CIRCUIT_ENTRIES_MAX))
    )

    await engine.read()
    await (late := begun()).read()
    held = (engine.circuits.room(key, 1), late.circuits.room(key, 1))
    await gates.reset_circuit(key)
    await engine.read()

    assert (held, engine.circuits.room(key, 1)) == ((0, 0), 1)


class ResetMeanwhile(MemoryGates):
    """A circuit that somebody resets between a look and the move that follows it."""

    resets = 1

    async def move_circuits(self, moves: tuple[CircuitMove, ...]) -> Board:
        if self.resets:
            self.resets -= 1
            await self.reset_circuit(moves[0].key)
        return await super().move_circuits(moves)


async def test_a_circuit_is_set_although_another_one_resets_it_meanwhile(key: str) -> None:
    gates = ResetMeanwhile(Tables(), lock=threading.RLock(), clock=ManualClock())
    await MemoryGates.move_circuits(gates, (rules.opening(Circuit(key=key), DOWN, 5),))

    view = await gate_control.GateControl(gates, lambda: None).set_circuit(
        SetCircuit(key=key, action="open", reason="by hand")
    )

    assert (view.state, view.forced) == ("open", True)
