"""The server's end: services and health, start and drain."""

import errno
from collections.abc import Sequence

import grpc.aio

from mainspring_rpc.handlers import Service, handlers
from mainspring_rpc.health import Health
from mainspring_rpc.options import quieten, server_options


class Server:
    """What `serve` started."""

    def __init__(self, server: grpc.aio.Server, checks: Health, address: str) -> None:
        self._server = server
        self._checks = checks
        self.address = address
        """Host and port that it listens on; the port was chosen by the system if 0 was asked."""

    async def set_serving(self, *, serving: bool) -> None:
        """What health answers. A server starts as not serving."""
        await self._checks.set(serving=serving)

    async def stop(self, grace_s: float = 5.0) -> None:
        """Answers not serving, refuses new calls, gives open ones `grace_s`. Safe twice."""
        await self._checks.set(serving=False)
        await self._server.stop(grace_s)


async def serve(
    bind: str, services: Sequence[Service], *, connection_age_s: float | None = None
) -> Server:
    """Listens on `bind` (`host:port`, port 0 for any) and answers, health included.

    Raises OSError where the port is taken or the address is not of this machine.
    """
    quieten()
    server = grpc.aio.server(options=server_options(connection_age_s))
    names = [service.descriptor.full_name for service in services]
    checks = Health(names)
    checks.add_to(server)
    for service in services:
        server.add_registered_method_handlers(service.descriptor.full_name, handlers(service))
    await checks.set(serving=False)
    host, _, _ = bind.rpartition(":")
    port = _bind(server, bind)
    await server.start()
    return Server(server, checks, f"{host}:{port}")


def _bind(server: grpc.aio.Server, bind: str) -> int:
    try:
        port = server.add_insecure_port(bind)
    except RuntimeError as error:
        raise OSError(errno.EADDRINUSE, f"cannot listen on {bind}: is the port taken?") from error
    if port == 0:
        raise OSError(errno.EADDRINUSE, f"cannot listen on {bind}: is the port taken?")
    return port
