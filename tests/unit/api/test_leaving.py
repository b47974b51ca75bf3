"""Requests under way while their server leaves."""

import asyncio

import pytest

from mainspring_api.adapters.http.routing import Reply, finished
from mainspring_kernel.errors import Unavailable


async def test_what_a_server_that_leaves_does_not_wait_for_is_to_come_again() -> None:
    begun = asyncio.Event()

    async def long_poll() -> Reply:
        begun.set()
        await asyncio.Event().wait()
        return Reply()

    request = asyncio.create_task(finished(long_poll()))
    await begun.wait()

    request.cancel()

    with pytest.raises(Unavailable):
        await request
