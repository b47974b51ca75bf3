"""grpc.health.v1: whether this process takes work."""

from collections.abc import Sequence

import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

SERVING: int = health_pb2.HealthCheckResponse.SERVING  # pyright: ignore[reportAny] -- untyped stubs
NOT_SERVING: int = health_pb2.HealthCheckResponse.NOT_SERVING  # pyright: ignore[reportAny] -- as above


class Health:
    """The same answer for the whole server and each of its services: a process is well or not."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = ["", *names]
        self._servicer = health.aio.HealthServicer()  # pyright: ignore[reportAttributeAccessIssue] -- not in the stubs

    def add_to(self, server: grpc.aio.Server) -> None:
        """Registers the health service."""
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)  # pyright: ignore[reportUnknownArgumentType] -- as above

    async def set(self, *, serving: bool) -> None:
        """What is answered from now on."""
        for name in self._names:
            await self._servicer.set(name, SERVING if serving else NOT_SERVING)
