"""The engine's door for operators over gRPC."""

from typing import TypeVar

import msgspec

from mainspring_kernel.errors import ValidationFailed
from mainspring_rpc import ControlClient
from mainspring_rpc.generated.control.v1 import control_pb2 as pb
from mainspring_schema import codec
from mainspring_schema.asking import Order, Question, answer_type

A = TypeVar("A")


class RpcOperator:
    def __init__(self, client: ControlClient) -> None:
        self._client = client

    async def inspect(self, question: Question[A]) -> A:
        response = await self._client.inspect(pb.InspectRequest(question=_packed(question)))
        return msgspec.msgpack.decode(response.answer, type=answer_type(question))

    async def operate(self, order: Order[A]) -> A:
        response = await self._client.operate(pb.OperateRequest(order=_packed(order)))
        return msgspec.msgpack.decode(response.answer, type=answer_type(order))


def _packed(asked: object) -> bytes:
    """Raises ValidationFailed for a number that no service could read."""
    try:
        return codec.pack(asked)
    except OverflowError as error:
        detail = "a number is out of range"
        raise ValidationFailed(detail) from error
