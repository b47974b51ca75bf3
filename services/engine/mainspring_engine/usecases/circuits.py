"""The circuits as this engine knows them: counts answers, lets tasks through, changes their state.

Counting is in memory. Only a transition is written, by compare-and-set, and announced to the other
engines; an engine that loses the comparison takes over what is there.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from itertools import islice
from uuid import UUID

from mainspring_engine.domain import circuit as rules
from mainspring_engine.domain.circuit import Circuit, CircuitMove, CircuitState, Sign, Tally
from mainspring_engine.domain.gate_limits import (
    CIRCUIT_ENTRIES_MAX,
    CIRCUIT_PROBES_MAX,
    CIRCUIT_SUCCESSES_MIN,
    CIRCUITS_KNOWN_MAX,
)
from mainspring_kernel.clock import Clock
from mainspring_schema.tasks import Failure


class _Live:
    """A circuit that has a row, with this engine's probes of it."""

    __slots__ = ("circuit", "good", "loose", "probes", "until")

    def __init__(self, circuit: Circuit, now_s: float) -> None:
        self.circuit = circuit
        self.until = now_s + circuit.wait_ms / 1000
        self.probes: set[UUID] = set()
        self.loose = 0
        """Probes reserved for tasks that are not known yet."""
        self.good = 0

    @property
    def probes_left(self) -> int:
        return CIRCUIT_PROBES_MAX - len(self.probes) - self.loose


class Circuits:
    """`me` is this engine as a prober. Nothing here waits: `move` takes what is to be moved."""

    def __init__(self, *, clock: Clock, me: UUID, move: Callable[[CircuitMove], None]) -> None:
        self._clock = clock
        self._me = me
        self._move = move
        self._live: dict[str, _Live] = {}
        self._tallies: OrderedDict[str, Tally] = OrderedDict()

    @property
    def quiet(self) -> bool:
        """Whether every circuit is plainly closed, so that nobody need look."""
        return all(live.circuit.state is CircuitState.CLOSED for live in self._live.values())

    # ── what may pass ───────────────────────────────────────────────────────────────────────────

    @property
    def any(self) -> bool:
        """Whether any circuit is known that may be other than closed."""
        return bool(self._live)

    def room(self, key: str, most: int) -> int:
        """How many of `most` tasks may pass now."""
        live = self._live.get(key)
        if live is None or live.circuit.state is CircuitState.CLOSED:
            return most
        if live.circuit.state is CircuitState.OPEN or live.circuit.prober != self._me:
            return 0
        return max(0, min(most, live.probes_left))

    def reserve(self, key: str, count: int) -> None:
        live = self._probing(key)
        if live is not None:
            live.loose += count

    def unused(self, key: str, count: int) -> None:
        live = self._probing(key)
        if live is not None:
            live.loose = max(0, live.loose - count)

    def passed(self, key: str, task_id: UUID) -> None:
        """One that was reserved is this task."""
        live = self._probing(key)
        if live is not None:
            live.loose = max(0, live.loose - 1)
            live.probes.add(task_id)

    def withdrawn(self, key: str, task_id: UUID) -> None:
        """It passed, and its commit did not come."""
        live = self._probing(key)
        if live is not None:
            live.probes.discard(task_id)

    def _probing(self, key: str) -> _Live | None:
        live = self._live.get(key)
        return None if live is None or live.circuit.prober != self._me else live

    # ── what comes back ─────────────────────────────────────────────────────────────────────────

    def answered(self, key: str, task_id: UUID, failure: Failure | None) -> None:
        """A worker brought the answer of a call: counted here, and written only where it tips."""
        sign = rules.sign_of(failure)
        live = self._live.get(key)
        if live is None or live.circuit.state is CircuitState.CLOSED:
            circuit = Circuit(key=key) if live is None else live.circuit
            if not circuit.forced:
                self._count(circuit, sign, failure)
        elif task_id in live.probes:
            # What left before it opened says nothing about now; only probes count.
            self._probed(live, task_id, sign, failure)

    def _count(self, circuit: Circuit, sign: Sign, failure: Failure | None) -> None:
        now_s = self._clock.mono()
        tally = self._tally(circuit.key)
        tally.add(sign, now_s)
        failures = tally.tripped(now_s) if sign is Sign.BAD else 0
        if failures and failure is not None:
            self._move(rules.opening(circuit, failure, failures))

    def _probed(self, live: _Live, task_id: UUID, sign: Sign, failure: Failure | None) -> None:
        live.probes.discard(task_id)
        if sign is Sign.BAD and failure is not None:
            self._move(rules.opening(live.circuit, failure, live.circuit.failures + 1))
        elif sign is Sign.GOOD:
            live.good += 1
            if live.good >= CIRCUIT_SUCCESSES_MIN:
                self._move(rules.closing(live.circuit, live.good))

    def _tally(self, key: str) -> Tally:
        tally = self._tallies.setdefault(key, Tally())
        self._tallies.move_to_end(key)
        if len(self._tallies) > CIRCUIT_ENTRIES_MAX:
            self._tallies.popitem(last=False)
        return tally

    # ── what all know ───────────────────────────────────────────────────────────────────────────

    def unread(self, read: Iterable[Circuit]) -> tuple[str, ...]:
        """Keys that were known to hold something, and are not among these rows."""
        there = {circuit.key for circuit in read}
        missing = (
            key
            for key, live in self._live.items()
            if live.circuit.state is not CircuitState.CLOSED and key not in there
        )
        return tuple(islice(missing, CIRCUITS_KNOWN_MAX))

    def replace(self, circuits: Iterable[Circuit]) -> tuple[str, ...]:
        """All that holds something was read. Returns the keys that let more through than before."""
        rows = {circuit.key: circuit for circuit in circuits}
        gone = [key for key in self._live if key not in rows]
        for key in gone:
            del self._live[key]
            self._tallies.pop(key, None)
        return (*gone, *self.update(rows.values()))

    def update(self, circuits: Iterable[Circuit]) -> tuple[str, ...]:
        """Some rows were read. Returns the keys that let more through than before."""
        eased: list[str] = []
        for circuit in circuits:
            known = self._live.get(circuit.key)
            if known is not None and known.circuit.rev >= circuit.rev:
                continue
            self._live[circuit.key] = _Live(circuit, self._clock.mono())
            if circuit.state is not CircuitState.OPEN:
                self._tallies.pop(circuit.key, None)  # it begins anew
                eased.append(circuit.key)
        return tuple(eased)

    def probe_due(self, able: Callable[[str], bool]) -> None:
        """Takes over the probing of circuits whose wait, or whose prober's time, is over.

        Only of those that it is able to probe: it keeps all others from it for a while.
        """
        now_s = self._clock.mono()
        for live in self._live.values():
            circuit = live.circuit
            waits = circuit.state is not CircuitState.CLOSED and not circuit.forced
            if waits and now_s >= live.until and able(circuit.key):
                self._move(rules.probing(circuit, self._me))

    def all(self) -> tuple[Circuit, ...]:
        """Those that have a row: open, or open once, or forced."""
        return tuple(live.circuit for live in tuple(self._live.values()))

    def why(self, key: str) -> Circuit | None:
        """The circuit that holds tasks of this key now, or None."""
        live = self._live.get(key)
        if live is None or live.circuit.state is CircuitState.CLOSED:
            return None
        return live.circuit
