"""Routes that a claim passes over, because a limit of running tasks is reached. Pure."""

from collections.abc import Iterable

from mainspring_engine.domain.limit import keys_of
from mainspring_engine.domain.routes import Route


class Resting:
    """A task that ends makes room under all of its keys, so all routes that share one are woken.

    A claim that got fewer tasks than it asked for found the limit, or the end of what waits. The
    next task that becomes ready tells which; once a claim got none, it need not be asked again.
    """

    def __init__(self) -> None:
        self._routes: dict[Route, bool] = {}
        """With whether the limit is known to be full."""
        self._by_key: dict[str, set[Route]] = {}

    def __contains__(self, route: Route) -> bool:
        return route in self._routes

    def add(self, route: Route, keys: Iterable[str], *, full: bool) -> None:
        """It rests until one of these keys has room."""
        self._routes[route] = full
        for key in keys:
            self._by_key.setdefault(key, set()).add(route)

    def ready(self, route: Route) -> None:
        """A task of the route became ready."""
        if self._routes.get(route) is False:
            del self._routes[route]

    def ended(self, route: Route) -> bool:
        """A task of the route ended. Whether a route is woken by that."""
        if not self._routes:
            return False
        woken: set[Route] = set()
        for key in keys_of(route):
            woken |= self._by_key.pop(key, set())
        # Under another key it may still be known: waking it once more does no harm.
        for resting in woken:
            self._routes.pop(resting, None)
        return bool(woken)

    def clear(self) -> None:
        self._routes.clear()
        self._by_key.clear()
