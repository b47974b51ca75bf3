"""A connection that is closed is cut after a while, unless the system has let it go by then."""

import asyncio

import pytest

from mainspring_rpc.http2 import bounds
from mainspring_rpc.http2.client import ClientConnection


class Wire(asyncio.Transport):
    """Counts how often it was cut."""

    def __init__(self) -> None:
        super().__init__()
        self.cuts = 0

    def write(self, data: "bytes | bytearray | memoryview[int]") -> None:
        pass

    def close(self) -> None:
        pass

    def abort(self) -> None:
        self.cuts += 1


@pytest.mark.parametrize(("let_go", "cuts"), [(False, 1), (True, 0)])
async def test_what_the_system_has_let_go_is_not_cut(
    monkeypatch: pytest.MonkeyPatch, *, let_go: bool, cuts: int
) -> None:
    monkeypatch.setattr(bounds, "FLUSH_S", 0.0)
    client, there = ClientConnection(), Wire()
    client.connection_made(there)
    client.close()
    if let_go:
        client.connection_lost(None)

    over = asyncio.Event()
    asyncio.get_running_loop().call_later(0.0, over.set)
    await over.wait()

    assert there.cuts == cuts
