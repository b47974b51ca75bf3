"""Keeps out pages of elsewhere, which a browser on this machine or network opens.

Whoever reaches the api may call it, so a page must not: neither by a request that its browser
sends to another site without asking first, nor by a name of its own that it lets mean this machine
(DNS rebinding). Channels are open to pages, for their callers show a key.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from mainspring_api.adapters.http.browsers import EVERY, is_channel, names_in, send_whole
from mainspring_api.adapters.http.edge import PROBLEM, problem_of
from mainspring_kernel.errors import PermissionDenied
from mainspring_runtime.settings import is_loopback

_NAME: Final = re.compile(r"[a-z0-9.\-]+")
_PORT: Final = re.compile(r":[0-9]+$")
_SURE: Final = re.compile(r"localhost|[0-9.]+|\[[0-9a-f:.]+\]")
"""No page of elsewhere can be reached as one of these."""
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITES: Final = frozenset({b"same-origin", b"none"})
"""`none` is a person who typed the address."""


def hosts_of(text: str) -> frozenset[str]:
    """From a list with commas between. Raises ValidationFailed for what is no name of a host."""
    return names_in(text, _NAME, f"name of a host, as api.example.org, nor {EVERY}")


class Elsewhere:
    """The application without requests from elsewhere.

    `bound` is where it listens. Off loopback any name may be its own, unless `hosts` says which.
    """

    def __init__(self, app: ASGIApp, bound: str, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts
        self._any = EVERY in hosts or (not hosts and not is_loopback(bound))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == ScopeType.HTTP else ""
        if not refusal:
            await self._app(scope, receive, send)
            return
        problem = problem_of(PermissionDenied(refusal))
        headers = [(b"content-type", PROBLEM.encode())]
        await send_whole(send, problem.status, headers, msgspec.json.encode(problem))

    def _refusal(self, scope: HTTPScope) -> str:
        """Empty where there is none."""
        if is_channel(scope["path"]):
            return ""
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if not self._any and not self._is_ours(host):
            return f"this api is not known as {host}: name it in MAINSPRING_API_HOSTS"
        if scope["method"] not in _READING and _is_of_another_site(headers, host):
            return "pages of other sites may not call this api"
        return ""

    def _is_ours(self, host: str) -> bool:
        """Also without a host, which browsers always say."""
        name = _PORT.sub("", host)
        return not name or _SURE.fullmatch(name) is not None or name in self._hosts


def _is_of_another_site(headers: Mapping[bytes, bytes], host: str) -> bool:
    """By what browsers say and pages cannot change; programs say neither."""
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        return site not in _OWN_SITES
    origin = headers.get(b"origin")  # all that older browsers say, and those of plain http
    return origin is not None and origin.decode("latin-1").lower().partition("://")[2] != host
