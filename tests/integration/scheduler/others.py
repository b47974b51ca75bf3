"""An engine, an eventstore and an api that only count what they are asked."""

import asyncio
from dataclasses import dataclass, field
from uuid import UUID

import msgspec
from google.protobuf.message import Message

from mainspring_kernel.errors import MainspringError, NotImplementedHere
from mainspring_rpc import Server, Service, serve
from mainspring_rpc.generated.control.v1 import control_pb2 as control
from mainspring_rpc.generated.eventstore.v1 import eventstore_pb2 as eventstore
from mainspring_rpc.generated.session.v1 import session_pb2 as session
from mainspring_schema import codec
from mainspring_schema.posting import Posted, PostMessage, TurnsAsked, TurnState, TurnsTold


class Unasked:
    """Answers every method of a service, so that a fake says only what its test is about."""

    async def _refuse(self, _: object, /) -> Message:
        raise NotImplementedHere

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._refuse


@dataclass(kw_only=True)
class Engine(Unasked):
    kinds: asyncio.Queue[int] = field(default_factory=asyncio.Queue)
    refusal: MainspringError | None = None
    kept: control.UpkeepResponse = field(
        default_factory=lambda: control.UpkeepResponse(partitions_made=2, keys_forgotten=30)
    )

    async def sweep(self, request: control.SweepRequest, /) -> control.SweepResponse:
        if self.refusal is not None:
            raise self.refusal
        self.kinds.put_nowait(request.kind)
        return control.SweepResponse(handled=0)

    async def upkeep(self, _: control.UpkeepRequest, /) -> control.UpkeepResponse:
        return self.kept


@dataclass(kw_only=True)
class EventStore(Unasked):
    upkeeps: asyncio.Queue[None] = field(default_factory=asyncio.Queue)
    kept: eventstore.UpkeepResponse = field(
        default_factory=lambda: eventstore.UpkeepResponse(partitions_made=1, deltas_dropped=40)
    )

    async def upkeep(self, _: eventstore.UpkeepRequest, /) -> eventstore.UpkeepResponse:
        self.upkeeps.put_nowait(None)
        return self.kept


@dataclass(kw_only=True)
class Api:
    """Takes every message; each turn has completed when somebody asks."""

    posts: asyncio.Queue[PostMessage] = field(default_factory=asyncio.Queue)

    async def post(self, request: session.PostRequest, /) -> session.PostResponse:
        command = msgspec.msgpack.decode(request.command, type=PostMessage)
        self.posts.put_nowait(command)
        return session.PostResponse(posted=codec.pack(Posted(turn_id=UUID(int=1), seq=2)))

    async def turns(self, request: session.TurnsRequest, /) -> session.TurnsResponse:
        asked = msgspec.msgpack.decode(request.asked, type=TurnsAsked)
        done = TurnState(outcome="completed")
        return session.TurnsResponse(
            told=codec.pack(TurnsTold(states=tuple(done for _ in asked.turns)))
        )

    async def cancel_turn(self, _: session.CancelTurnRequest, /) -> session.CancelTurnResponse:
        return session.CancelTurnResponse()


async def listen(engine: Engine, log: EventStore, api: Api | None = None) -> Server:
    """All on one port, as the channels do not mind."""
    return await serve(
        "127.0.0.1:0",
        [
            Service(session.DESCRIPTOR.services_by_name["SessionService"], api or Api()),
            Service(control.DESCRIPTOR.services_by_name["ControlService"], engine),
            Service(eventstore.DESCRIPTOR.services_by_name["EventStoreService"], log),
        ],
    )
