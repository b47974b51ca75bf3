"""Files of a task's session: over gRPC, inside one process and in the twin it must be alike."""

import threading
from collections.abc import AsyncIterator

import pytest

from mainspring_api.adapters.keys import EnvironmentKeys
from mainspring_api.adapters.memory.store import MemoryStore, organization_of
from mainspring_api.adapters.rpc.resource import ResourceServicer
from mainspring_api.adapters.vault import EnvelopeVault
from mainspring_api.ports.store import Store
from mainspring_api.usecases.configuration import Configurations
from mainspring_api.usecases.credentials import StoredCredentials
from mainspring_api.usecases.keeper import Keeper
from mainspring_api.usecases.messages import MessagePath
from mainspring_harness.builtin import builtin_registry
from mainspring_kernel import errors
from mainspring_kernel.clock import SystemClock
from mainspring_kernel.ids import DEFAULT_ORG_ID, RandomIds
from mainspring_kernel.limits import TOOL_RESULT_BYTES_MAX
from mainspring_local.dev.roads import DirectFiles
from mainspring_rpc.channel import Channel
from mainspring_rpc.server import serve
from mainspring_rpc.services import resource_service
from mainspring_scheduler.adapters.memory import MemoryScheduleStore
from mainspring_scheduler.usecases.schedules import Schedules
from mainspring_schema.frames import Held
from mainspring_worker.adapters.grpc_files import GrpcFiles
from mainspring_worker.adapters.memory import MemoryFiles
from mainspring_worker.ports.files import SessionFiles
from tests.api.backend import Backend
from tests.api.operators import FakeOperator
from tests.contract.api.conftest import NOW_MS, Grants
from tests.contract.api.test_store_contract import new_session

IDS, CLOCK = RandomIds(SystemClock()), SystemClock()
HELD = Held(IDS.uuid7(), 1)
PATH = "/outputs/call_1.txt"


async def api_store() -> MemoryStore:
    grants, session = Grants(), new_session()
    grants.held[HELD.task_id] = (session.id, DEFAULT_ORG_ID)
    store = MemoryStore(
        lock=threading.RLock(),
        log=grants,
        hold=grants,
        first=organization_of(DEFAULT_ORG_ID, "default", NOW_MS),
    )
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_session(session)
    return store


def house_credentials(store: MemoryStore) -> StoredCredentials:
    """Where nobody brought a key."""
    return StoredCredentials(store, EnvironmentKeys({}, {}), EnvelopeVault([]))


def keeper_of(store: MemoryStore) -> Keeper:
    """With one key, so that it may keep secrets."""
    return Keeper(
        store=store,
        vault=EnvelopeVault(["k" * 32]),
        schedules=memory_schedules(),
        path=nowhere(store),
        ids=IDS,
    )


def nowhere(store: Store) -> MessagePath:
    """A way to turns behind which nobody works."""
    backend = Backend()
    configurations = Configurations(store, FakeOperator(), builtin_registry(), IDS)
    return MessagePath(configurations=configurations, control=backend, log=backend)


def memory_schedules() -> Schedules:
    """A scheduler whose time does not come."""
    return Schedules(MemoryScheduleStore(CLOCK), lambda: None)


@pytest.fixture(params=["grpc", "direct", "memory"])
async def files(request: pytest.FixtureRequest) -> AsyncIterator[SessionFiles]:
    if request.param == "memory":
        yield MemoryFiles(HELD)
        return
    store = await api_store()
    if request.param == "direct":
        yield DirectFiles(store, CLOCK, IDS)
        return
    servicer = ResourceServicer(keeper_of(store), house_credentials(store), CLOCK)
    server = await serve("127.0.0.1:0", [resource_service(servicer)])
    channel = Channel(server.address)
    yield GrpcFiles(channel)
    await channel.close()
    await server.stop(0)


async def test_a_holder_writes_and_may_repeat_itself(files: SessionFiles) -> None:
    first = await files.write(HELD, key="k", path=PATH, content=b"text")
    again = await files.write(HELD, key="k", path=PATH, content=b"text")

    assert first == again == PATH


async def test_the_largest_file_passes_and_a_larger_one_does_not(files: SessionFiles) -> None:
    await files.write(HELD, key="k", path=PATH, content=bytes(TOOL_RESULT_BYTES_MAX))

    with pytest.raises(errors.PayloadTooLarge):
        await files.write(HELD, key="l", path=PATH, content=bytes(TOOL_RESULT_BYTES_MAX + 1))


async def test_who_does_not_hold_the_task_is_refused(files: SessionFiles) -> None:
    with pytest.raises(errors.LeaseLost):
        await files.write(Held(HELD.task_id, 2), key="k", path=PATH, content=b"text")


async def test_a_key_stands_for_one_write(files: SessionFiles) -> None:
    await files.write(HELD, key="k", path=PATH, content=b"text")

    with pytest.raises(errors.IdempotencyMismatch):
        await files.write(HELD, key="k", path=PATH, content=b"other")
