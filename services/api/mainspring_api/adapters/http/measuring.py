"""How long requests take and how many streams are open, for those who scrape."""

from collections.abc import Iterator
from typing import Final, cast

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from mainspring_kernel.clock import Clock
from mainspring_kernel.tally import OTHER, Spreads
from mainspring_runtime import names
from mainspring_runtime.readings import Reading

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_STREAM: Final = "/sse"
_BROKEN: Final = 499
"""Stands for an answer that never began: its client went away."""


class Measured:
    """The application, watched from outside. Only there where somebody collects."""

    def __init__(self, app: ASGIApp, clock: Clock) -> None:
        self._app = app
        self._clock = clock
        self._durations = Spreads(names.REQUEST_SECONDS)
        self._streams = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
        elif scope["path"].endswith(_STREAM):
            # Chunks go to the client as they are: a stream is counted, never timed.
            self._streams += 1
            try:
                await self._app(scope, receive, send)
            finally:
                self._streams -= 1
        else:
            await self._timed(scope, receive, send)

    async def _timed(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        began_s, status = self._clock.mono(), _BROKEN

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            key = (_method(scope), _route(scope), str(status))
            self._durations.note(key, self._clock.mono() - began_s)

    def readings(self) -> Iterator[Reading]:
        """From any thread."""
        yield Reading(names.SSE_CLIENTS, self._streams)
        for (method, route, status), spread in self._durations.items():
            told: dict[str, names.Attribute] = {names.HTTP_METHOD: method}
            if route != OTHER:
                told[names.HTTP_ROUTE] = route
            if status != OTHER:
                told[names.HTTP_STATUS] = int(status)
            yield Reading(names.REQUEST_DURATION, spread, told)


def _method(scope: HTTPScope) -> str:
    return scope["method"] if scope["method"] in _METHODS else OTHER


def _route(scope: HTTPScope) -> str:
    """The template that the router matched; none where nothing did."""
    untyped = cast("dict[str, object]", cast("object", scope))
    template = untyped.get("path_template")
    return template if isinstance(template, str) and template else OTHER
