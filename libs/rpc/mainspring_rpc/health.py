"""grpc.health.v1: whether this process takes work."""

import asyncio
from collections.abc import Sequence

from mainspring_kernel.errors import NotFound
from mainspring_rpc.generated.health.v1 import health_pb2 as pb
from mainspring_rpc.handlers import ServerStream, Service


class Health:
    """The same answer for the whole server and each of its services: a process is well or not."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(("", *names))
        self._serving = False
        self._changed = asyncio.Event()

    def set(self, *, serving: bool) -> None:
        """What is answered from now on."""
        if serving is not self._serving:
            self._serving = serving
            self._changed.set()
            self._changed = asyncio.Event()

    async def check(self, request: pb.HealthCheckRequest) -> pb.HealthCheckResponse:
        """Raises NotFound for a service that is not here."""
        if request.service not in self._names:
            detail = f"there is no service {request.service} here"
            raise NotFound(detail)
        return self._answer(request.service)

    async def watch(
        self, stream: ServerStream[pb.HealthCheckRequest, pb.HealthCheckResponse]
    ) -> None:
        """Answers now and at each change, until the client goes."""
        request = await stream.receive()
        while request is not None:
            changed = self._changed
            await stream.send(self._answer(request.service))
            await changed.wait()

    def _answer(self, name: str) -> pb.HealthCheckResponse:
        if name not in self._names:
            return pb.HealthCheckResponse(status=pb.HealthCheckResponse.SERVICE_UNKNOWN)
        if self._serving:
            return pb.HealthCheckResponse(status=pb.HealthCheckResponse.SERVING)
        return pb.HealthCheckResponse(status=pb.HealthCheckResponse.NOT_SERVING)


def health_service(health: Health) -> Service:
    """Health, answered by `health`."""
    return Service(pb.DESCRIPTOR.services_by_name["Health"], health)
