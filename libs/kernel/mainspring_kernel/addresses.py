"""Addresses of servers: as people may read them, and as they write those of NATS."""

import re
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

_AND: Final = re.compile(r",(?=[a-z]+://)")
_END: Final = re.compile(r"[/?#]")


def host_of(url: str) -> str:
    """Host and port alone, for a password stands before them; "" where the URL has none."""
    return urlsplit(url if "://" in url else f"//{url}").netloc.rpartition("@")[2]


class NatsServers(NamedTuple):
    """Servers of one cluster, and who connects; `user` alone is a token."""

    urls: tuple[str, ...]
    user: str | None = None
    password: str | None = None

    @property
    def hosts(self) -> str:
        """As people may read them."""
        return ",".join(host_of(url) for url in self.urls)


def nats_servers(text: str) -> NatsServers:
    """`nats://user:password@a:4222,b:4222`, or whole URLs with commas between them.

    User and password may be percent-encoded. Raises ValueError where URLs name different users.
    """
    urls, who = list[str](), list[str]()
    for piece in _AND.split(text if "://" in text else f"nats://{text}"):
        scheme, _, rest = piece.partition("://")
        named, at, place = rest.rpartition("@")
        if at and named not in who:
            who.append(named)
        hosts = _END.split(place, maxsplit=1)[0]
        path = place.removeprefix(hosts)
        urls += [f"{scheme}://{host.strip()}{path}" for host in hosts.split(",")]
    if len(who) > 1:
        message = "two users"
        raise ValueError(message)
    if not who:
        return NatsServers(tuple(urls))
    user, colon, password = who[0].partition(":")
    return NatsServers(tuple(urls), unquote(user), unquote(password) if colon else None)
