"""What few may have at once, or few in a time: the limits, who is under them, what must hold."""

from collections.abc import Iterator
from random import Random
from typing import Final

from mainspring_engine.adapters.memory.tables import Tables, TaskRow
from mainspring_engine.domain.limit import KeyLimit, with_rate
from mainspring_engine.domain.routes import KEY
from mainspring_engine.domain.rows import TaskState

SHELF: Final = "shelf"
"""Few may work at it at once."""
AT_ONCE: Final = 1
MILL: Final = "mill"
"""It is begun for few in a time."""
RATE: Final = 2
PER_MS: Final = 3_000
LIMITS: Final = (
    KeyLimit(key=f"{KEY}{SHELF}", at_once=AT_ONCE),
    with_rate(KeyLimit(key=f"{KEY}{MILL}"), RATE, PER_MS),
)
LEARNED_S: Final = 3.0
"""Until nobody comes: every engine knows the limits then."""
_NEEDED: Final = ((), (SHELF,), (MILL,), (SHELF, MILL))


def needed(draws: Random, *, limited: bool) -> tuple[str, ...]:
    """What one program or task needs."""
    return draws.choice(_NEEDED) if limited else ()


class Clerk:
    """Looks whenever tasks were handed over. Nobody may need anything before the limits are set."""

    def __init__(self, tables: Tables) -> None:
        self.hurried = True
        """No claim takes longer than an engine may hold its tokens, so that a rate holds."""
        self._tables = tables
        self._begun: dict[tuple[object, int], int] = {}

    def looks(self) -> Iterator[str]:
        tasks = self._tables.tasks.values()
        held = [one for one in tasks if one.state is TaskState.LEASED and one.route.keys]
        at_work = [one.id.hex for one in held if f"{KEY}{SHELF}" in one.route.keys]
        if len(at_work) > AT_ONCE:
            yield f"{len(at_work)} are at work at the {SHELF}: {at_work}"
        if self.hurried:
            yield from self._rate([one for one in held if f"{KEY}{MILL}" in one.route.keys])

    def _rate(self, held: list[TaskRow]) -> Iterator[str]:
        before = len(self._begun)
        for one in held:
            self._begun[one.id, one.fence] = one.claimed_ms
        if len(self._begun) == before:
            return
        times = sorted(self._begun.values())
        for first, after in zip(times, times[RATE:], strict=False):
            if after - first < PER_MS:
                yield f"the {MILL} was begun more than {RATE} times in {after - first} ms"
