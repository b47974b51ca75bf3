"""The server's end: services and health, start and drain."""

import errno
import os
from collections.abc import Sequence

from mainspring_rpc.handlers import Service, routes
from mainspring_rpc.health import Health, health_service
from mainspring_rpc.http2.dialler import hosts_of
from mainspring_rpc.http2.server import Listener, listen


class Server:
    """What `serve` started."""

    def __init__(self, listener: Listener, health: Health, address: str) -> None:
        self._listener = listener
        self._health = health
        self.address = address
        """Host and port that it listens on; the port was chosen by the system if 0 was asked."""

    def set_serving(self, *, serving: bool) -> None:
        """What health answers. A server starts as not serving."""
        self._health.set(serving=serving)

    async def stop(self, grace_s: float = 5.0) -> None:
        """Answers not serving, refuses new calls, gives open ones `grace_s`. Safe twice."""
        self._health.set(serving=False)
        await self._listener.stop(grace_s)


async def serve(bind: str, services: Sequence[Service]) -> Server:
    """Listens on `bind` (`host:port`, port 0 for any) and answers, health included.

    Raises OSError where the port is taken or the address is not of this machine.
    """
    health = Health([service.descriptor.full_name for service in services])
    answered = {
        path: route
        for service in (*services, health_service(health))
        for path, route in routes(service).items()
    }
    ((host, port),) = hosts_of(bind)
    try:
        listener = await listen(host, port, answered)
    except OSError as error:
        # Of a name that is not known the number is below 0, and the words are its own.
        number = error.errno or errno.EADDRINUSE
        reason = os.strerror(number) if number > 0 else error.strerror
        text = f"cannot listen on {bind}: {reason}"
        raise OSError(number, text) from error
    return Server(listener, health, f"{bind.rpartition(':')[0]}:{listener.port}")
