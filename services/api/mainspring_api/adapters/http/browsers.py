"""Lets pages of other origins call the channels: only those that the operator names, and no others.

Callers show a key or a runtime token themselves; nothing that a browser sends by itself counts
here, so credentials are never allowed across origins.
"""

import re
from typing import Final

import msgspec
from litestar.datastructures import Headers
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from mainspring_api.adapters.http.edge import PROBLEM, problem_of
from mainspring_kernel.errors import PermissionDenied, ValidationFailed

EVERY: Final = "*"
NOBODY: Final[frozenset[str]] = frozenset()
NAMES_MAX: Final = 100
"""Of pages that call one installation, or of its own; each request is compared with all."""
PREFLIGHT_AGE_S: Final = 600
"""How long a browser need not ask again; a taken-away origin counts at most so long."""
_ORIGIN: Final = re.compile(r"https?://[a-z0-9.\-\[\]:]+")
_CHANNELS: Final = "/v1/channels/"
_PREFLIGHT: Final = (
    (b"access-control-allow-methods", b"GET, POST"),
    (
        b"access-control-allow-headers",
        # Cache-Control: what reads a stream in a page likes to say no-cache with it.
        b"Authorization, Cache-Control, Content-Type, End-User, Idempotency-Key, Last-Event-ID,"
        b" X-Org-Id",
    ),
    (b"access-control-max-age", str(PREFLIGHT_AGE_S).encode()),
)
_EXPOSED: Final = (b"access-control-expose-headers", b"Location, Retry-After, X-Total-Count")
_VARY: Final = (b"vary", b"Origin")


def origins_of(text: str) -> frozenset[str]:
    """From a list with commas between. Raises ValidationFailed for what is no origin.

    Browsers say theirs in small letters, however it was written.
    """
    what = f"origin: it is a scheme, a host and perhaps a port, or {EVERY}"
    return names_in(text, _ORIGIN, what)


def names_in(text: str, shape: re.Pattern[str], what: str) -> frozenset[str]:
    """A list with commas between, in small letters. Raises ValidationFailed for what is no `what`
    by its shape, and for more than NAMES_MAX."""
    found = frozenset(one.strip().lower() for one in text.split(",") if one.strip())
    for one in found:
        if one != EVERY and shape.fullmatch(one) is None:
            msg = f"{one!r} is no {what}"
            raise ValidationFailed(msg)
    if len(found) > NAMES_MAX:
        msg = f"at most {NAMES_MAX} may be named"
        raise ValidationFailed(msg)
    return found


class Browsers:
    """The application, as browsers may reach it."""

    def __init__(self, app: ASGIApp, origins: frozenset[str]) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or not is_channel(scope["path"]):
            await self._app(scope, receive, send)
            return
        headers = Headers.from_scope(scope)
        origin = headers.get("origin")
        allowed = origin is not None and (EVERY in self._origins or origin in self._origins)
        if origin is not None and _is_preflight(scope, headers):
            await (_let_in(send, self._told(origin)) if allowed else _turn_away(send))
            return
        told = [*self._told(origin), _EXPOSED] if origin is not None and allowed else [_VARY]

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *told]
            await send(message)

        await self._app(scope, receive, telling)

    def _told(self, origin: str) -> list[tuple[bytes, bytes]]:
        shown = EVERY if EVERY in self._origins else origin
        return [(b"access-control-allow-origin", shown.encode("latin-1")), _VARY]


def is_channel(path: str) -> bool:
    return path.removeprefix("/api").startswith(_CHANNELS)


def _is_preflight(scope: HTTPScope, headers: Headers) -> bool:
    return scope["method"] == "OPTIONS" and "access-control-request-method" in headers


async def _let_in(send: Send, told: list[tuple[bytes, bytes]]) -> None:
    await send_whole(send, 204, [*told, *_PREFLIGHT], b"")


async def _turn_away(send: Send) -> None:
    problem = problem_of(PermissionDenied("pages of this origin may not call channels"))
    body = msgspec.json.encode(problem)
    await send_whole(send, problem.status, [(b"content-type", PROBLEM.encode()), _VARY], body)


async def send_whole(
    send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
