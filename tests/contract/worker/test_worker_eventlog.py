"""The worker's view of the session log: in memory, and the same behind gRPC."""

from collections.abc import AsyncGenerator
from uuid import UUID

import msgspec
import pytest

from mainspring_kernel.errors import NotImplementedHere, Unavailable
from mainspring_kernel.ids import Position
from mainspring_rpc.channel import Channel
from mainspring_rpc.generated.eventstore.v1 import eventstore_pb2 as pb
from mainspring_rpc.generated.resource.v1 import resource_pb2
from mainspring_rpc.server import serve
from mainspring_rpc.services import event_store_service, resource_service
from mainspring_schema.codec import pack
from mainspring_schema.grants import AppendVerdict, DeltaAppend
from mainspring_worker.adapters.grpc_credentials import GrpcCredentials
from mainspring_worker.adapters.grpc_eventlog import GrpcEventLog
from mainspring_worker.adapters.memory import MemoryEventLog
from mainspring_worker.ports.eventlog import EventLog
from tests.unit.worker.making import ANCHOR, ORG, SESSION, TURN, held, history


class Behind:
    """An event store that answers from a memory twin."""

    def __init__(self, log: MemoryEventLog) -> None:
        self._log = log

    async def append_many(self, request: pb.AppendManyRequest, /) -> pb.AppendManyResponse:
        items = [
            DeltaAppend(
                session_id=UUID(bytes=item.session_id),
                turn_id=UUID(bytes=item.turn_id),
                anchor=item.anchor,
                attempt=item.attempt,
                channel=item.channel,
                offset=item.offset,
                fragment=item.fragment,
                reset=item.reset,
            )
            for item in request.items
        ]
        verdicts = await self._log.append(items)
        return pb.AppendManyResponse(
            verdicts=[f"APPEND_VERDICT_{verdict.name}" for verdict in verdicts]
        )

    async def read(self, request: pb.ReadRequest, /) -> pb.ReadResponse:
        page = await self._log.read(
            UUID(bytes=request.session_id),
            UUID(bytes=request.org_id),
            after=Position(request.after.seq, request.after.n),
            events_only=request.events_only,
        )
        return pb.ReadResponse(events=pack(page.events), deltas=pack(page.deltas), more=page.more)

    async def list(self, request: pb.ListRequest, /) -> pb.ListResponse:
        raise NotImplementedError

    async def heads(self, request: pb.HeadsRequest, /) -> pb.HeadsResponse:
        raise NotImplementedError

    async def verify(self, request: pb.VerifyRequest, /) -> pb.VerifyResponse:
        raise NotImplementedError

    async def upkeep(self, request: pb.UpkeepRequest, /) -> pb.UpkeepResponse:
        raise NotImplementedError


@pytest.fixture(params=["memory", "grpc"])
async def log(request: pytest.FixtureRequest) -> AsyncGenerator[EventLog]:
    memory = MemoryEventLog()
    memory.events[SESSION] = list(history())
    memory.open_anchor(SESSION, ANCHOR, 2)
    if request.param == "memory":
        yield memory
        return
    server = await serve("127.0.0.1:0", [event_store_service(Behind(memory))])
    channel = Channel(server.address)
    yield GrpcEventLog(channel)
    await channel.close()
    await server.stop(0)


def delta(offset: int, fragment: str, *, attempt: int = 2, reset: bool = False) -> DeltaAppend:
    return DeltaAppend(
        session_id=SESSION,
        turn_id=TURN,
        anchor=ANCHOR,
        attempt=attempt,
        channel="text",
        offset=offset,
        fragment=fragment,
        reset=reset,
    )


async def test_each_fragment_gets_its_verdict_in_order(log: EventLog) -> None:
    verdicts = await log.append(
        [
            delta(0, "äb", reset=True),
            delta(0, "äb"),
            delta(9, "far"),
            delta(0, "old", attempt=1),
            delta(2, "c"),
        ]
    )

    assert list(verdicts) == [
        AppendVerdict.COMMITTED,
        AppendVerdict.DUPLICATE,
        AppendVerdict.GAP,
        AppendVerdict.STALE,
        AppendVerdict.COMMITTED,
    ]


async def test_fragments_come_back_as_they_were(log: EventLog) -> None:
    await log.append([delta(0, "äb", reset=True), delta(2, "c")])

    page = await log.read(SESSION, ORG, after=Position(3), events_only=False)

    assert [(d.seq, d.n, d.anchor, d.attempt, d.channel) for d in page.deltas] == [
        (3, 1, ANCHOR, 2, "text"),
        (3, 2, ANCHOR, 2, "text"),
    ]
    assert [(d.offset, d.fragment, d.reset) for d in page.deltas] == [
        (0, "äb", True),
        (2, "c", False),
    ]


async def test_events_are_read_after_a_position(log: EventLog) -> None:
    page = await log.read(SESSION, ORG, after=Position(1), events_only=True)

    assert page.events == history()[1:]
    assert page.deltas == ()


async def test_absent_event_store_is_unavailable() -> None:
    channel = Channel("127.0.0.1:1")

    with pytest.raises(Unavailable):
        await GrpcEventLog(channel).append([delta(0, "a")])
    await channel.close()


async def test_credentials_are_asked_for_in_the_name_of_the_task() -> None:
    asked: list[resource_pb2.GetCredentialsRequest] = []

    class Resource:
        async def get_credentials(
            self, request: resource_pb2.GetCredentialsRequest, /
        ) -> resource_pb2.GetCredentialsResponse:
            asked.append(request)
            return resource_pb2.GetCredentialsResponse(api_key="sk-1", base_url="")

        async def write_file(
            self, request: resource_pb2.WriteFileRequest, /
        ) -> resource_pb2.WriteFileResponse:
            raise NotImplementedHere

        async def ask(self, request: resource_pb2.AskRequest, /) -> resource_pb2.AskResponse:
            raise NotImplementedHere

        async def change(
            self, request: resource_pb2.ChangeRequest, /
        ) -> resource_pb2.ChangeResponse:
            raise NotImplementedHere

    server = await serve("127.0.0.1:0", [resource_service(Resource())])
    channel = Channel(server.address)
    access = await GrpcCredentials(channel).fetch(held(fence=3), "provider_1")
    await channel.close()
    await server.stop(0)

    assert access.credentials.api_key == "sk-1"
    assert access.base_url is None
    assert UUID(bytes=asked[0].hold.task_id) == held().task_id
    assert (asked[0].hold.fence, asked[0].provider_id) == (3, "provider_1")
    assert "sk-1" not in repr(msgspec.structs.asdict(access))
