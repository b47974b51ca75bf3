"""Server, channel, errors over the wire and stubs of gRPC; the only importer of hpack."""

from mainspring_rpc.channel import Channel, Stream, Unary
from mainspring_rpc.clients import (
    ControlClient,
    EventStoreClient,
    ResourceClient,
    ScheduleClient,
    SessionClient,
    WorkerClient,
)
from mainspring_rpc.handlers import ServerStream, Service
from mainspring_rpc.http2.dialler import Endpoint
from mainspring_rpc.server import Server, serve
from mainspring_rpc.services import (
    ControlServicer,
    EventStoreServicer,
    ResourceServicer,
    ScheduleServicer,
    SessionServicer,
    WorkerServicer,
    control_service,
    event_store_service,
    resource_service,
    schedule_service,
    session_service,
    worker_service,
)

__all__ = [
    "Channel",
    "ControlClient",
    "ControlServicer",
    "Endpoint",
    "EventStoreClient",
    "EventStoreServicer",
    "ResourceClient",
    "ResourceServicer",
    "ScheduleClient",
    "ScheduleServicer",
    "Server",
    "ServerStream",
    "Service",
    "SessionClient",
    "SessionServicer",
    "Stream",
    "Unary",
    "WorkerClient",
    "WorkerServicer",
    "control_service",
    "event_store_service",
    "resource_service",
    "schedule_service",
    "serve",
    "session_service",
    "worker_service",
]
