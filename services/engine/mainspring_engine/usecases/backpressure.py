"""Whether new work is accepted.

Asked before a command goes to its lane, and nowhere else: results, timers and the next steps of
work under way are never refused.
"""

from collections.abc import Callable, Iterable, Mapping
from uuid import UUID

from mainspring_engine.domain.backlog import Group
from mainspring_engine.domain.gate_limits import DEPTH_ORG_TASKS_MAX
from mainspring_engine.domain.pressure import Depths, Valve
from mainspring_kernel.clock import Clock
from mainspring_kernel.errors import TooManyRequests


class Backpressure:
    """`load` is how full this engine's fullest lane is, of 1."""

    def __init__(
        self, *, clock: Clock, load: Callable[[], float], org_max: int = DEPTH_ORG_TASKS_MAX
    ) -> None:
        self._clock = clock
        self._load = load
        self._org_max = org_max
        self._depths = Depths()
        self._valve = Valve()
        self._counted: dict[Group, int] = {}
        """By the pages so far of a pass that has several; what comes and goes since is in it."""
        self._counted_at = clock.mono()

    def check(self, org_id: UUID, queue: str) -> None:
        """Raises TooManyRequests; nothing was accepted then."""
        if not self._valve.lets(self._load()):
            detail = "the engine has its hands full"
            raise TooManyRequests(detail)
        retry_after_s = self._depths.retry_after_s(queue, org_id, org_max=self._org_max)
        if retry_after_s is not None:
            detail = f"too many tasks wait in queue {queue}"
            raise TooManyRequests(detail, retry_after_s=retry_after_s)

    def came(self, groups: Iterable[Group]) -> None:
        """A task of each began to wait; a group stands there once per task."""
        for group in groups:
            self._depths.came(group.route.queue, group.org_id)
            if group in self._counted:
                self._counted[group] += 1

    def went(self, groups: Iterable[Group]) -> None:
        """A task of each was claimed."""
        for group in groups:
            self._depths.went(group.route.queue, group.org_id)
            if group in self._counted:
                self._counted[group] = max(0, self._counted[group] - 1)

    def counted(self, depths: Mapping[Group, int], *, last: bool = True) -> None:
        """What waits as a page of groups was counted.

        With the last page of a pass, groups that none of its pages named are empty; until then what
        was known of them holds.
        """
        self._counted |= depths
        if not last:
            return
        found: dict[tuple[str, UUID], int] = {}
        for group, depth in self._counted.items():
            key = (group.route.queue, group.org_id)
            found[key] = found.get(key, 0) + depth
        self._counted = {}
        now_s = self._clock.mono()
        self._depths.counted(found, seconds=now_s - self._counted_at)
        self._counted_at = now_s
