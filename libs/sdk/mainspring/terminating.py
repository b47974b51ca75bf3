"""What a supervisor sends to end a process, where its user has said nothing else."""

import asyncio
import signal
import threading
from collections.abc import Coroutine, Generator
from contextlib import contextmanager


async def until_ended(work: Coroutine[object, object, None]) -> None:
    """Until the work ends, or the process gets SIGTERM. Raises what ended the work.

    Who has a handler of his own, or is on another thread, keeps what he has.
    """
    with _told() as told:
        tasks = [asyncio.ensure_future(work), asyncio.ensure_future(told.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if tasks[0].done():
                await tasks[0]
        finally:
            for task in tasks:
                task.cancel()


@contextmanager
def _told() -> Generator[asyncio.Event]:
    told = asyncio.Event()
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield told
        return
    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(signal.SIGTERM, told.set)
    except NotImplementedError:  # there are systems without it
        yield told
        return
    try:
        yield told
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
