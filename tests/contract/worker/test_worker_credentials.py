"""Credentials of a task's provider: over gRPC, inside one process and in the twin alike."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from mainspring_api.adapters.keys import EnvironmentKeys
from mainspring_api.adapters.rpc.resource import ResourceServicer
from mainspring_api.adapters.vault import EnvelopeVault
from mainspring_api.usecases.credentials import StoredCredentials
from mainspring_kernel import errors
from mainspring_kernel.ids import (
    ANTHROPIC_PROVIDER_ID,
    LLMSIM_PROVIDER_ID,
    OPENAI_PROVIDER_ID,
    Prefix,
    to_wire,
)
from mainspring_local.dev.roads import DirectCredentials
from mainspring_rpc.channel import Channel
from mainspring_rpc.server import serve
from mainspring_rpc.services import resource_service
from mainspring_schema.frames import Held
from mainspring_worker.adapters.grpc_credentials import GrpcCredentials
from mainspring_worker.adapters.memory import FixedCredentials
from mainspring_worker.ports.credentials import CredentialSource, ProviderAccess
from mainspring_worker.ports.model import Credentials
from tests.contract.worker.test_worker_files import CLOCK, HELD, api_store, keeper_of

OPENAI = to_wire(Prefix.PROVIDER, OPENAI_PROVIDER_ID)
ANTHROPIC = to_wire(Prefix.PROVIDER, ANTHROPIC_PROVIDER_ID)
SIMULATOR = to_wire(Prefix.PROVIDER, LLMSIM_PROVIDER_ID)
ADDRESS = "http://127.0.0.1:1/v1"
KEYED = ProviderAccess(credentials=Credentials(api_key="secret"), base_url=ADDRESS, driver="openai")
KEYLESS = ProviderAccess(credentials=Credentials(api_key=None), driver="anthropic")


@pytest.fixture(params=["grpc", "direct", "memory"])
async def credentials(request: pytest.FixtureRequest) -> AsyncIterator[CredentialSource]:
    """Of the providers one has a key and an address of its own, the others have none."""
    if request.param == "memory":
        yield FixedCredentials({OPENAI: KEYED, ANTHROPIC: KEYLESS, SIMULATOR: KEYLESS}, HELD)
        return
    store = await api_store()
    house = EnvironmentKeys({"openai": "secret"}, {"openai": ADDRESS})
    keys = StoredCredentials(store, house, EnvelopeVault([]))
    if request.param == "direct":
        yield DirectCredentials(store, keys)
        return
    servicer = ResourceServicer(keeper_of(store), keys, CLOCK)
    server = await serve("127.0.0.1:0", [resource_service(servicer)])
    channel = Channel(server.address)
    yield GrpcCredentials(channel)
    await channel.close()
    await server.stop(0)


async def test_a_holder_gets_key_and_address(credentials: CredentialSource) -> None:
    access = await credentials.fetch(HELD, OPENAI)

    assert access.credentials.api_key == "secret"
    assert (access.base_url, access.driver) == (ADDRESS, "openai")


@pytest.mark.parametrize("provider_id", [ANTHROPIC, SIMULATOR])
async def test_what_is_not_stored_is_none(credentials: CredentialSource, provider_id: str) -> None:
    access = await credentials.fetch(HELD, provider_id)

    assert (access.credentials.api_key, access.base_url) == (None, None)


async def test_an_unknown_provider_is_not_found(credentials: CredentialSource) -> None:
    with pytest.raises(errors.NotFound):
        await credentials.fetch(HELD, to_wire(Prefix.PROVIDER, uuid4()))


@pytest.mark.parametrize(
    "held", [Held(HELD.task_id, 2), Held(uuid4(), 1)], ids=["another fence", "another task"]
)
async def test_who_does_not_hold_the_task_gets_nothing(
    credentials: CredentialSource, held: Held
) -> None:
    with pytest.raises(errors.LeaseLost):
        await credentials.fetch(held, OPENAI)
