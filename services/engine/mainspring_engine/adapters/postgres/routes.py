"""Routes and their numbers, cached: they are insert-only and few."""

from typing import cast

from mainspring_engine.domain.routes import Route
from mainspring_kernel.limits import ROUTE_CACHE_ENTRIES_MAX
from mainspring_postgres import Database, Queries, Row


class RouteNumbers:
    def __init__(self, database: Database, queries: Queries) -> None:
        self._database = database
        self._queries = queries
        self._numbers: dict[Route, int] = {}
        self._routes: dict[int, Route] = {}

    async def of(self, wanted: set[Route]) -> dict[Route, int]:
        """The number of every route asked for; new ones are interned."""
        missing = tuple(wanted - self._numbers.keys())
        if missing:
            columns = [list(column) for column in zip(*(_columns(r) for r in missing), strict=True)]
            rows = await self._database.fetch(self._queries["intern_routes"], *columns)
            self._learn(zip(missing, cast("list[int]", rows[0]["ids"]), strict=True))
        return {route: self._numbers[route] for route in wanted}

    async def named(self, numbers: set[int]) -> dict[int, Route]:
        """The routes of numbers that rows hold."""
        if numbers - self._routes.keys():
            await self.all()
        return {number: self._routes[number] for number in numbers}

    async def all(self) -> tuple[Route, ...]:
        rows = await self._database.fetch(self._queries["routes"])
        routes = [(_route(row), cast(int, row["id"])) for row in rows]
        self._learn(routes)
        return tuple(route for route, _ in routes)

    def _learn(self, pairs: "zip[tuple[Route, int]] | list[tuple[Route, int]]") -> None:
        if len(self._numbers) > ROUTE_CACHE_ENTRIES_MAX:
            self._numbers.clear()
            self._routes.clear()
        for route, number in pairs:
            self._numbers[route] = number
            self._routes[number] = route


def _columns(route: Route) -> tuple[str, str, str, str]:
    return route.queue, route.capability, route.build, route.model


def _route(row: Row) -> Route:
    return Route(
        queue=cast(str, row["queue"]),
        capability=cast(str, row["capability"]),
        build=cast(str, row["build"]),
        model=cast(str, row["model"]),
    )
