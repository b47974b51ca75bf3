"""Ports: the API's is asked for by the user, all others are free ones and recorded in the home."""

import asyncio
import errno
import secrets
import socket
from contextlib import ExitStack
from typing import cast

import msgspec

from mainspring_local.errors import StartProblem
from mainspring_local.home import Home

LOOPBACK = "127.0.0.1"
PORT_MAX = 65535
DRAWN = range(20_000, 32_000)
"""Below those that systems give to outgoing connections, which would take one meanwhile."""
DRAWS_MAX = 100
"""Then so many are taken that the system itself has to find one."""
NAMES = ("postgres", "nats", "engine", "resource", "eventstore", "scheduler", "worker")


def require_free(host: str, port: int) -> None:
    """Raises StartProblem where the API could not listen."""
    problem = bind_problem(host, port)
    if problem is None:
        return
    if problem.errno == errno.EADDRINUSE:
        raise StartProblem(
            f"port {port} on {host} is taken; stop what listens there, "
            "or choose another with MAINSPRING_API_PORT"
        )
    raise StartProblem(f"cannot listen on {host}:{port} ({problem.strerror}); choose another port")


def bind_problem(host: str, port: int) -> OSError | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error
    return None


def assign(home: Home, *, engine: int = 0) -> dict[str, int]:
    """The ports of last time where they are still free, fresh ones elsewhere; recorded.

    `engine` is where people's own workers look first: that one, if it is free.
    """
    known: dict[str, int] = {}
    if home.ports.exists():
        try:
            known = msgspec.json.decode(home.ports.read_bytes(), type=dict[str, int])
        except msgspec.DecodeError:
            known = {}
    missing = [n for n in NAMES if n not in known or bind_problem(LOOPBACK, known[n]) is not None]
    ports = {n: known[n] for n in NAMES if n not in missing}
    with ExitStack() as held:
        # All are held at once, or the system could hand the same port out twice.
        for name in missing:
            probe = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            wanted = engine if name == "engine" else 0
            ports[name] = wanted if wanted and bound(probe, wanted) else bind_free(probe)
    home.ports.write_bytes(msgspec.json.encode(ports))
    return ports


def bound(probe: socket.socket, port: int) -> bool:
    """Whether it has the port now; connections that linger from its last owner do not count."""
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((LOOPBACK, port))
    except OSError:
        return False
    finally:
        # Two that share would get the same port, as long as neither listens.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    return True


def bind_free(probe: socket.socket) -> int:
    """Binds it to a port that nobody has, and that nobody is given by chance."""
    for _ in range(DRAWS_MAX):
        port = secrets.choice(DRAWN)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            continue
        return port
    probe.bind((LOOPBACK, 0))
    return port_of(probe)


def engine_port(api_port: int) -> int:
    """Beside the API's, so that stacks side by side do not ask for the same one."""
    return api_port + 1 if api_port < PORT_MAX else 0


def free_or_any(port: int) -> int:
    """The port itself while it is free; otherwise the system chooses (0)."""
    return port if bind_problem(LOOPBACK, port) is None else 0


def port_of(bound: socket.socket) -> int:
    _host, port = cast("tuple[str, int]", bound.getsockname())
    return port


async def accepts(host: str, port: int) -> bool:
    try:
        _reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True
