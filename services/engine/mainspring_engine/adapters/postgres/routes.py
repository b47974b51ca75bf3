"""Routes and their numbers, cached: they are insert-only and few."""

from typing import cast

from mainspring_engine.domain.limits import ROUTE_CACHE_ENTRIES_MAX
from mainspring_engine.domain.routes import Route
from mainspring_postgres import Database, Queries, Row


class RouteNumbers:
    def __init__(self, database: Database, queries: Queries) -> None:
        self._database = database
        self._queries = queries
        self._numbers: dict[Route, int] = {}
        self._routes: dict[int, Route] = {}

    async def of(self, wanted: set[Route]) -> dict[Route, int]:
        """The number of every route asked for; new ones are interned."""
        found = {route: self._numbers[route] for route in wanted if route in self._numbers}
        missing = tuple(wanted - found.keys())
        if missing:
            columns = [list(column) for column in zip(*(r.names for r in missing), strict=True)]
            rows = await self._database.fetch(self._queries["intern_routes"], *columns)
            ids = cast("list[int]", rows[0]["ids"])
            found.update(zip(missing, ids, strict=True))
            self._learn(found)
        return found

    async def named(self, numbers: set[int]) -> dict[int, Route]:
        """The routes of numbers that rows hold."""
        found = {number: self._routes[number] for number in numbers if number in self._routes}
        missing = numbers - found.keys()
        if missing:
            rows = await self._database.fetch(self._queries["routes"], list(missing))
            found.update((cast(int, row["id"]), _route(row)) for row in rows)
            self._learn({route: number for number, route in found.items()})
        return found

    def _learn(self, found: dict[Route, int]) -> None:
        if len(self._numbers) > ROUTE_CACHE_ENTRIES_MAX:
            self._numbers.clear()
            self._routes.clear()
        for route, number in found.items():
            self._numbers[route] = number
            self._routes[number] = route


def _route(row: Row) -> Route:
    return Route.named(
        cast(str, row["queue"]),
        cast(str, row["capability"]),
        cast(str, row["build"]),
        cast(str, row["model"]),
    )
