"""Turns that other services begin: over gRPC and inside one process they go alike."""

from collections.abc import AsyncIterator
from uuid import UUID

import msgspec
import pytest

from mainspring_api.adapters.http.services import Services
from mainspring_api.adapters.rpc.session import SessionServicer
from mainspring_api.main import session_door
from mainspring_kernel.errors import MalformedBody, NotFound, Unavailable, ValidationFailed
from mainspring_kernel.ids import DEFAULT_ORG_ID, SessionId
from mainspring_rpc import Channel, SessionClient, serve, session_service
from mainspring_rpc.generated.session.v1 import session_pb2 as pb
from mainspring_scheduler.adapters.grpc_turns import RpcTurns
from mainspring_scheduler.ports.targets import Turns
from mainspring_schema.posting import CancelTurn, OneTurn, PostMessage, TurnState
from mainspring_testkit.servers import free_port
from tests.api.backend import TS, Backend
from tests.api.conftest import wired

SESSION, MESSAGE, TURN = UUID(int=51), UUID(int=52), UUID(int=53)
SAY = b'{"message":{"content":[{"type":"text","text":"Report."}]},"metadata":{"own":1}}'
POST = PostMessage(
    org_id=DEFAULT_ORG_ID,
    session_id=SESSION,
    session=b'{"title":"Reports"}',
    message_id=MESSAGE,
    message=SAY,
    metadata={"schedule_name": "s"},
)
ASKED = OneTurn(org_id=DEFAULT_ORG_ID, session_id=SESSION, turn_id=TURN)


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest.fixture
def services(backend: Backend) -> Services:
    return wired(backend)


@pytest.fixture(params=["direct", "grpc"])
async def turns(request: pytest.FixtureRequest, services: Services) -> AsyncIterator[Turns]:
    door = session_door(services)
    if request.param == "direct":
        yield door
        return
    server = await serve("127.0.0.1:0", [session_service(SessionServicer(door))])
    channel = Channel(server.address)
    yield RpcTurns(SessionClient(channel))
    await channel.close()
    await server.stop(0)


async def test_a_message_comes_with_its_session(
    turns: Turns, backend: Backend, services: Services
) -> None:
    posted = await turns.post(POST)

    (command,) = backend.submits
    assert (command.session_id, command.message_id) == (SESSION, MESSAGE)
    assert command.message.metadata == {"own": 1, "schedule_name": "s"}
    assert posted.seq == 2
    async with services.store.transaction(DEFAULT_ORG_ID) as tx:
        session = await tx.session(SessionId(SESSION))
    assert session is not None
    assert session.title == "Reports"


async def test_asked_again_it_is_one_session_and_one_message(
    turns: Turns, backend: Backend
) -> None:
    first, again = await turns.post(POST), await turns.post(POST)

    assert first.seq == again.seq
    assert [event.type for event in backend.sessions[SESSION].events] == [
        "session.started",
        "input.message",
    ]


async def test_a_configuration_is_folded_when_the_message_comes(
    turns: Turns, backend: Backend, services: Services
) -> None:
    await turns.post(POST)
    async with services.store.transaction(DEFAULT_ORG_ID) as tx:
        session = await tx.session(SessionId(SESSION))
        assert session is not None
        tier = msgspec.structs.replace(session.tier, system_prompt="Be brief.")
        await tx.put_session(msgspec.structs.replace(session, tier=tier))

    await turns.post(msgspec.structs.replace(POST, message_id=UUID(int=60)))

    before, after = backend.submits
    assert before.config_hash != after.config_hash


async def test_a_message_to_a_session_that_nobody_made_is_refused(turns: Turns) -> None:
    with pytest.raises(NotFound):
        await turns.post(msgspec.structs.replace(POST, session=None))


async def test_a_session_that_was_deleted_is_not_made_again(
    turns: Turns, backend: Backend, services: Services
) -> None:
    await turns.post(POST)
    async with services.store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.begin_delete(SessionId(SESSION))
        await tx.finish_delete(SessionId(SESSION))
    backend.close_log(SESSION)

    with pytest.raises(NotFound):
        await turns.post(POST)


async def test_an_agent_that_is_gone_is_told(turns: Turns) -> None:
    with pytest.raises(NotFound):
        await turns.post(msgspec.structs.replace(POST, session=b'{"agent_name":"nobody"}'))


async def test_a_message_that_no_rule_lets_through_any_more_is_told(turns: Turns) -> None:
    with pytest.raises(ValidationFailed):
        await turns.post(msgspec.structs.replace(POST, message=b'{"message":{"content":[]}}'))


@pytest.mark.parametrize(
    ("type_", "data", "outcome", "code"),
    [
        ("turn.completed", {}, "completed", None),
        ("turn.failed", {"error_code": "rate_limited"}, "failed", "rate_limited"),
        ("turn.cancelled", {"reason": "user"}, "cancelled", "user"),
        ("turn.sealed", {"reason": "no_progress"}, "needs_attention", "no_progress"),
    ],
)
async def test_an_outcome_is_read_from_the_log(
    turns: Turns, backend: Backend, type_: str, data: object, outcome: str, code: str | None
) -> None:
    await turns.post(POST)
    before = await turns.states([ASKED])

    backend.append(SESSION, type_, data)

    assert list(before) == [TurnState()]
    (state,) = await turns.states([ASKED])
    assert (state.outcome, state.ended_ms, state.code) == (outcome, TS, code)


async def test_turns_of_a_session_that_is_gone_were_cancelled(
    turns: Turns, backend: Backend
) -> None:
    await turns.post(POST)
    backend.close_log(SESSION)
    nowhere = msgspec.structs.replace(ASKED, session_id=UUID(int=99))

    states = await turns.states([ASKED, nowhere])

    assert [state.outcome for state in states] == ["cancelled", "cancelled"]


async def test_a_turn_is_cancelled_by_its_id(turns: Turns, backend: Backend) -> None:
    await turns.post(POST)

    await turns.cancel(CancelTurn(turn=ASKED, reason="a later slot"))
    await turns.cancel(
        CancelTurn(turn=msgspec.structs.replace(ASKED, session_id=UUID(int=99)), reason="gone")
    )

    (command,) = backend.cancels
    assert (command.turn_id, command.reason) == (TURN, "a later slot")


async def test_what_cannot_be_read_is_refused(services: Services) -> None:
    servicer = SessionServicer(session_door(services))

    with pytest.raises(MalformedBody):
        await servicer.post(pb.PostRequest(command=b"\xc1"))


async def test_an_api_that_is_away_is_unavailable() -> None:
    channel = Channel(f"127.0.0.1:{free_port()}")

    with pytest.raises(Unavailable):
        await RpcTurns(SessionClient(channel)).post(POST)

    await channel.close()
