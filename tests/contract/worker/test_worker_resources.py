"""A session's resources for its task's holder: over gRPC and inside one process it is alike.

Both end at api's use cases, so there is no third twin that could differ from them.
"""

from collections.abc import AsyncIterator

import pytest

from mainspring_api.adapters.rpc.resource import ResourceServicer
from mainspring_kernel import errors
from mainspring_local.dev.roads import DirectResources
from mainspring_rpc.channel import Channel
from mainspring_rpc.server import serve
from mainspring_rpc.services import resource_service
from mainspring_schema.frames import Held
from mainspring_schema.holdings import ChangeFiles, ListFiles, PutFile, ReadFile
from mainspring_schema.limits import HELD_READ_BYTES_MAX
from mainspring_worker.adapters.grpc_resources import GrpcResources
from mainspring_worker.ports.resources import Resources
from tests.contract.worker.test_worker_files import (
    CLOCK,
    HELD,
    api_store,
    house_credentials,
    keeper_of,
)

LARGEST = ChangeFiles(changes=(PutFile(path="/a", content=bytes(HELD_READ_BYTES_MAX)),))


@pytest.fixture(params=["grpc", "direct"])
async def resources(request: pytest.FixtureRequest) -> AsyncIterator[Resources]:
    store = await api_store()
    if request.param == "direct":
        yield DirectResources(keeper_of(store), CLOCK)
        return
    servicer = ResourceServicer(keeper_of(store), house_credentials(store), CLOCK)
    server = await serve("127.0.0.1:0", [resource_service(servicer)])
    channel = Channel(server.address)
    yield GrpcResources(channel)
    await channel.close()
    await server.stop(0)


async def test_the_largest_file_is_written_and_read(resources: Resources) -> None:
    await resources.change(HELD, LARGEST, key="k")

    part = await resources.ask(HELD, ReadFile(path="/a", bytes_max=HELD_READ_BYTES_MAX))
    assert part.content == bytes(HELD_READ_BYTES_MAX)


async def test_a_refusal_arrives_as_what_it_is(resources: Resources) -> None:
    with pytest.raises(errors.NotFound, match="no such file"):
        await resources.ask(HELD, ReadFile(path="/gone", bytes_max=1))
    with pytest.raises(errors.InvalidParameter):
        await resources.ask(HELD, ListFiles(limit=0))
    with pytest.raises(errors.InvalidParameter):
        await resources.change(HELD, LARGEST, key="")
    with pytest.raises(errors.LeaseLost):
        await resources.ask(Held(HELD.task_id, 2), ListFiles(limit=1))
