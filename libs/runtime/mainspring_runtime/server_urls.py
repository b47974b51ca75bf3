"""Whether the addresses of servers can be read, without a word of what stands in them.

Their drivers quote the part that they cannot read, and that may be a password.
"""

from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlsplit

from mainspring_kernel.addresses import nats_servers

PORT_MAX: Final = 65_535
_SSLMODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_DATABASE: Final = (
    "is no postgresql://user:password@host:port/database; "
    "in a user and a password : / ? # @ % and blanks are written as %3A %2F %3F %23 %40 %25 %20"
)
_COLLECTOR: Final = "is no http://host:port (or https://)"
_NATS: Final = (
    "is no nats://user:password@host:port, or several hosts with commas between them "
    "(or tls://; or ws://, wss://)"
)
_NATS_USERS: Final = "names several users: the servers of one cluster have the same"
_NATS_SCHEMES: Final = ("nats", "tls", "ws", "wss")


def flaw_of_database_url(text: str) -> str | None:
    """A sentence for the operator, or None."""
    parts = _split(text, ("postgresql", "postgres"))
    if parts is None or parts.fragment:
        return _DATABASE
    try:
        options = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        return _DATABASE
    sslmode = dict(options).get("sslmode", "prefer")
    return None if sslmode in _SSLMODES else f"sslmode must be one of {', '.join(_SSLMODES)}"


def flaw_of_nats_url(text: str) -> str | None:
    """A sentence for the operator, or None. A host alone, or `host:port`, is one as well."""
    try:
        servers = nats_servers(text)
    except ValueError:
        return _NATS_USERS
    split = [_split(url, _NATS_SCHEMES) for url in servers.urls]
    web = {parts.scheme.startswith("ws") for parts in split if parts is not None}
    read = all(parts is not None and parts.netloc for parts in split)
    return None if read and len(web) == 1 else _NATS


def flaw_of_otlp_endpoint(text: str) -> str | None:
    """A sentence for the operator, or None."""
    parts = _split(text, ("http", "https"))
    return None if parts is not None and parts.netloc else _COLLECTOR


def _split(text: str, schemes: tuple[str, ...]) -> SplitResult | None:
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    hosts = parts.netloc.rpartition("@")[2]
    fit = parts.scheme in schemes and all(_is_host(host) for host in hosts.split(","))
    return parts if fit else None


def _is_host(text: str) -> bool:
    """Of IPv6 the colons stand in brackets; a host without a port has the usual one."""
    _, bracket, behind = text.rpartition("]")
    _, colon, port = (behind if bracket else text).partition(":")
    return not colon or (port.isascii() and port.isdigit() and 0 < int(port) <= PORT_MAX)
