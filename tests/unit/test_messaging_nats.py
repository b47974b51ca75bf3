"""What nats-py does to us, over a client of nats-py that does it on purpose."""

import asyncio
from contextlib import suppress

import pytest
from nats.aio.client import Client

from mainspring_messaging import natsbus
from mainspring_messaging.natsbus import NatsBus


class Deaf(Client):
    """Goes on to connect after a cancel, as with an answer that came at the same time."""

    async def connect(self, *_: object, **__: object) -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()


async def test_a_bus_closes_also_where_a_cancel_was_swallowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(natsbus, "Client", Deaf)
    bus = NatsBus("nats://nowhere", name="test")
    await bus.start(wait_s=0)

    async with asyncio.timeout(10):
        await bus.close()

    assert not bus.connected
