"""The engine's gates over gRPC."""

from collections.abc import Sequence
from typing import Final

import msgspec

from mainspring_rpc import ControlClient
from mainspring_rpc.generated.control.v1 import control_pb2 as pb
from mainspring_schema.codec import pack
from mainspring_schema.gates import (
    CircuitView,
    DropLimit,
    LimitView,
    SetCircuit,
    SetLimit,
    SetWeight,
    Weights,
)

_CIRCUIT: Final = msgspec.msgpack.Decoder(CircuitView)
_LIMIT: Final = msgspec.msgpack.Decoder(LimitView)


class RpcGates:
    def __init__(self, client: ControlClient) -> None:
        self._client = client

    async def circuits(self, keys: tuple[str, ...] = ()) -> Sequence[CircuitView]:
        response = await self._client.list_circuits(pb.ListCircuitsRequest(keys=keys))
        return [_CIRCUIT.decode(circuit) for circuit in response.circuits]

    async def set_circuit(self, command: SetCircuit) -> CircuitView:
        response = await self._client.set_circuit(pb.SetCircuitRequest(command=pack(command)))
        return _CIRCUIT.decode(response.circuit)

    async def limits(self, keys: tuple[str, ...] = ()) -> Sequence[LimitView]:
        response = await self._client.list_limits(pb.ListLimitsRequest(keys=keys))
        return [_LIMIT.decode(limit) for limit in response.limits]

    async def set_limit(self, command: SetLimit) -> LimitView:
        response = await self._client.set_limit(pb.SetLimitRequest(command=pack(command)))
        return _LIMIT.decode(response.limit)

    async def drop_limit(self, command: DropLimit) -> None:
        await self._client.drop_limit(pb.DropLimitRequest(command=pack(command)))

    async def weights(self) -> Weights:
        response = await self._client.list_weights(pb.ListWeightsRequest())
        return msgspec.msgpack.decode(response.weights, type=Weights)

    async def set_weight(self, command: SetWeight) -> None:
        await self._client.set_weight(pb.SetWeightRequest(command=pack(command)))
