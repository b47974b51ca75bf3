"""The engine's door for operators over gRPC."""

from typing import TypeVar

import msgspec

from mainspring_rpc import ControlClient
from mainspring_rpc.generated.control.v1 import control_pb2 as pb
from mainspring_schema.asking import Order, Question, answer_type
from mainspring_schema.codec import pack_command

A = TypeVar("A")


class RpcOperator:
    def __init__(self, client: ControlClient) -> None:
        self._client = client

    async def inspect(self, question: Question[A]) -> A:
        response = await self._client.inspect(pb.InspectRequest(question=pack_command(question)))
        return msgspec.msgpack.decode(response.answer, type=answer_type(question))

    async def operate(self, order: Order[A]) -> A:
        response = await self._client.operate(pb.OperateRequest(order=pack_command(order)))
        return msgspec.msgpack.decode(response.answer, type=answer_type(order))
