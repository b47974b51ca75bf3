from collections.abc import Callable
from typing import cast

import pytest
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.message import Message

from mainspring_kernel.errors import (
    DeadlineExceeded,
    LeaseLost,
    MainspringError,
    NotImplementedHere,
    PayloadTooLarge,
    TooManyRequests,
    Unavailable,
    registry,
)
from mainspring_rpc import Channel, clients, services
from mainspring_rpc.generated.control.v1 import control_pb2
from mainspring_rpc.generated.eventstore.v1 import eventstore_pb2
from mainspring_rpc.generated.resource.v1 import resource_pb2
from mainspring_rpc.generated.worker.v1 import worker_pb2
from mainspring_rpc.handlers import Service, routes, snake_case
from mainspring_rpc.status import CallFailed, Metadata, Status
from mainspring_rpc.wire_errors import ERROR_KEY, error_of, metadata_of, status_of

MethodTypes = tuple[str, str]


def arrived(code: Status, metadata: Metadata = (), details: str = "x") -> MainspringError:
    return error_of(CallFailed(code, details, metadata))


@pytest.mark.parametrize(
    "error",
    [LeaseLost("task_1", 4), TooManyRequests("full", retry_after_s=2.5), Unavailable("away")],
)
def test_an_error_arrives_as_it_was_raised(error: MainspringError) -> None:
    got = arrived(status_of(error), metadata_of(error))

    assert type(got) is type(error)
    assert (got.detail, got.retry_after_s, got.data) == (
        error.detail,
        error.retry_after_s,
        error.data,
    )


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (Status.UNAVAILABLE, Unavailable),
        (Status.CANCELLED, Unavailable),
        (Status.DEADLINE_EXCEEDED, DeadlineExceeded),
        (Status.UNIMPLEMENTED, NotImplementedHere),
        (Status.RESOURCE_EXHAUSTED, PayloadTooLarge),
        (Status.DATA_LOSS, MainspringError),
    ],
)
def test_what_the_transport_met_becomes_ours(code: Status, kind: type[MainspringError]) -> None:
    assert type(arrived(code)) is kind


def test_a_broken_error_in_the_metadata_leaves_the_status() -> None:
    assert type(arrived(Status.UNAVAILABLE, ((ERROR_KEY, b"{"),))) is Unavailable


def test_a_long_detail_is_cut_because_metadata_is_bounded() -> None:
    (_, value), *_ = metadata_of(MainspringError("x" * 100_000))

    assert len(value) < 4096


def test_every_error_has_a_status_that_is_no_success() -> None:
    for cls in registry().values():
        error = cls.__new__(cls)
        MainspringError.__init__(error)
        assert status_of(error) is not Status.OK


class Recorder:
    """A channel that remembers the paths it was asked for."""

    def __init__(self) -> None:
        self.made: dict[str, MethodTypes] = {}

    def unary(self, path: str, request: type[Message], response: type[Message]) -> str:
        self.made[path] = (request.DESCRIPTOR.full_name, response.DESCRIPTOR.full_name)
        return path

    def streaming(self, path: str, request: type[Message], response: type[Message]) -> str:
        self.made[path] = (request.DESCRIPTOR.full_name, response.DESCRIPTOR.full_name)
        return path


CLIENTS: dict[str, Callable[[Channel], object]] = {
    "control": clients.ControlClient,
    "worker": clients.WorkerClient,
    "eventstore": clients.EventStoreClient,
    "resource": clients.ResourceClient,
}
SERVICERS: dict[str, type] = {
    "control": services.ControlServicer,
    "worker": services.WorkerServicer,
    "eventstore": services.EventStoreServicer,
    "resource": services.ResourceServicer,
}
FILES: dict[str, FileDescriptor] = {
    "control": control_pb2.DESCRIPTOR,
    "worker": worker_pb2.DESCRIPTOR,
    "eventstore": eventstore_pb2.DESCRIPTOR,
    "resource": resource_pb2.DESCRIPTOR,
}


@pytest.mark.parametrize("part", FILES)
def test_clients_and_servicers_have_every_method_of_the_proto_files_and_no_other(part: str) -> None:
    (service,) = FILES[part].services_by_name.values()
    wanted = {
        f"/{service.full_name}/{method.name}": (
            method.input_type.full_name,
            method.output_type.full_name,
        )
        for method in service.methods
    }

    channel = Recorder()
    client = CLIENTS[part](cast("Channel", cast("object", channel)))

    assert channel.made == wanted
    names = {snake_case(method.name) for method in service.methods}
    assert set(vars(client)) == names
    assert {name for name in vars(SERVICERS[part]) if not name.startswith("_")} == names


def test_an_object_that_does_not_answer_a_method_is_refused() -> None:
    service = Service(resource_pb2.DESCRIPTOR.services_by_name["ResourceService"], object())

    with pytest.raises(TypeError, match="get_credentials"):
        routes(service)
