"""How long tasks of a route hold their slot, which an expected wait is computed from."""

from collections import OrderedDict
from typing import Final

from mainspring_engine.domain.limits import ROUTE_CACHE_ENTRIES_MAX
from mainspring_engine.domain.routes import Route

_WEIGHT: Final = 0.1
"""Of the newest one: the mean follows a change within some ten tasks, and one odd task moves it by
a tenth."""


class HoldTimes:
    """A moving mean per route, as one engine saw it. Seconds; routes used least are forgotten.

    Keys make no difference: they say when a task may start, not how long it takes.
    """

    def __init__(self) -> None:
        self._means: OrderedDict[Route, float] = OrderedDict()

    def note(self, route: Route, seconds: float) -> None:
        bare = route.without_keys
        mean = self._means.pop(bare, seconds)
        self._means[bare] = mean + _WEIGHT * (seconds - mean)
        if len(self._means) > ROUTE_CACHE_ENTRIES_MAX:
            self._means.popitem(last=False)

    def mean_s(self, route: Route) -> float | None:
        """None where no task of the route was seen to end."""
        return self._means.get(route.without_keys)
