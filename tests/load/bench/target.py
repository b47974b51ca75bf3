"""A stack that is there already, and the promise to load nobody else's by mistake."""

import ipaddress
import socket
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from msgspec import Struct

from mainspring_postgres import Database, Options
from tests.load.bench.crew import BenchFailed
from tests.load.bench.ground import Ground
from tests.load.bench.wire import Address

API_PORT_DEFAULT = 9000
ENGINE_PORT_DEFAULT = 9001


class Target(Struct, frozen=True, kw_only=True):
    """`postgres` is a URL, empty where the database is out of reach."""

    api: Address
    engines: tuple[str, ...]
    postgres: str = ""

    def hosts(self) -> list[str]:
        found = [self.api.host, *(engine.rpartition(":")[0] for engine in self.engines)]
        if self.postgres:
            found.append(urlsplit(self.postgres).hostname or "")
        return [host.strip("[]") for host in found]


def target_of(url: str, engines: str, postgres: str) -> Target:
    """Raises BenchFailed for what is no address."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme != "http" or not parts.hostname:
        msg = f"{url} is no address of an api: say http://HOST:PORT"
        raise BenchFailed(msg)
    api = Address(host=parts.hostname, port=parts.port or API_PORT_DEFAULT)
    named = tuple(engine.strip() for engine in engines.split(",") if engine.strip())
    return Target(
        api=api,
        engines=named or (f"{parts.hostname}:{ENGINE_PORT_DEFAULT}",),
        postgres=postgres,
    )


def require_loopback(target: Target) -> None:
    """Raises BenchFailed where any address leaves this machine."""
    hosts = dict.fromkeys(target.hosts())
    foreign = [host for host in hosts if not is_loopback(addresses(host))]
    if foreign:
        msg = f"{', '.join(foreign)} is not this machine; if it is yours, say --allow-remote"
        raise BenchFailed(msg)


def addresses(host: str) -> list[str]:
    """A number stands for itself; a name for all that it resolves to. Raises BenchFailed."""
    with suppress(ValueError):
        return [str(ipaddress.ip_address(host))]
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, None)]
    except OSError as error:
        msg = f"{host} has no address"
        raise BenchFailed(msg) from error


def is_loopback(found: Iterable[str]) -> bool:
    """Every one of them, and at least one."""
    parsed = [ipaddress.ip_address(address.partition("%")[0]) for address in found]
    return bool(parsed) and all(address.is_loopback for address in parsed)


@asynccontextmanager
async def target_ground(target: Target) -> AsyncGenerator[Ground]:
    if not target.postgres:
        yield Ground(target.api, target.engines, None)
        return
    options = Options(url=target.postgres, application_name="mainspring-bench", connections_max=2)
    database = await Database.open(options)
    try:
        yield Ground(target.api, target.engines, database, postgres_url=target.postgres)
    finally:
        await database.close()
