"""The engine's gates over gRPC."""

from collections.abc import Sequence
from typing import Final

import msgspec

from mainspring_rpc import ControlClient
from mainspring_rpc.generated.control.v1 import control_pb2 as pb
from mainspring_schema.codec import pack
from mainspring_schema.gates import CircuitView, SetCircuit

_CIRCUIT: Final = msgspec.msgpack.Decoder(CircuitView)


class RpcGates:
    def __init__(self, client: ControlClient) -> None:
        self._client = client

    async def circuits(self) -> Sequence[CircuitView]:
        response = await self._client.list_circuits(pb.ListCircuitsRequest())
        return [_CIRCUIT.decode(circuit) for circuit in response.circuits]

    async def set_circuit(self, command: SetCircuit) -> CircuitView:
        response = await self._client.set_circuit(pb.SetCircuitRequest(command=pack(command)))
        return _CIRCUIT.decode(response.circuit)
