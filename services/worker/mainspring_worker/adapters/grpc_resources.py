"""What a session has, through api's ResourceService."""

from typing import TypeVar

import msgspec

from mainspring_rpc.channel import Channel
from mainspring_rpc.clients import ResourceClient
from mainspring_rpc.generated.resource.v1 import resource_pb2 as pb
from mainspring_schema.asking import Order, Question, answer_type
from mainspring_schema.codec import pack
from mainspring_schema.frames import Held

A = TypeVar("A")


class GrpcResources:
    def __init__(self, channel: Channel) -> None:
        self._client = ResourceClient(channel)

    async def ask(self, held: Held, question: Question[A]) -> A:
        answer = await self._client.ask(pb.AskRequest(hold=_hold(held), question=pack(question)))
        return msgspec.msgpack.decode(answer.answer, type=answer_type(question))

    async def change(self, held: Held, order: Order[A], *, key: str) -> A:
        answer = await self._client.change(
            pb.ChangeRequest(hold=_hold(held), idempotency_key=key, order=pack(order))
        )
        return msgspec.msgpack.decode(answer.answer, type=answer_type(order))


def _hold(held: Held) -> pb.Hold:
    return pb.Hold(task_id=held.task_id.bytes, fence=held.fence)
