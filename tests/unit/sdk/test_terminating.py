"""A worker drains where its supervisor ends it, unless its user says otherwise."""

import asyncio
import os
import signal

import pytest

from mainspring.terminating import until_ended


async def never() -> None:
    await asyncio.Event().wait()


async def test_sigterm_ends_the_wait_and_leaves_the_process_as_it_was() -> None:
    waiting = asyncio.create_task(until_ended(never()))
    while signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # noqa: ASYNC110 - it tells nobody that it listens
        await asyncio.sleep(0)

    os.kill(os.getpid(), signal.SIGTERM)

    await asyncio.wait_for(waiting, 10)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


async def test_what_ended_the_work_is_raised() -> None:
    async def broken() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await until_ended(broken())


async def test_a_handler_of_the_users_own_stays() -> None:
    got: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: got.append(number))
    try:
        waiting = asyncio.create_task(until_ended(never()))
        await asyncio.sleep(0)

        os.kill(os.getpid(), signal.SIGTERM)

        assert got == [signal.SIGTERM]
        assert not waiting.done()
        waiting.cancel()
    finally:
        signal.signal(signal.SIGTERM, before)
