"""Heartbeats of a step that computes in a process of its own: they come through a pipe.

What is said goes at once, or with what is said within TELL_S of it: a loop that says how far it is
at each turn is not held up, and its worker not flooded.
"""

import asyncio
import struct
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Final, NamedTuple, cast

from mainspring.belonging import StepInfo
from mainspring.errors import AttemptOver
from mainspring.heartbeats import Speaking, present_pulse, speak_through
from mainspring.limits import LAST_WORDS_S, TELL_S

Pipe = Connection
"""One end of it."""
_HEAD: Final = struct.Struct("<Q?")
"""The call's number, and whether it is over; details follow, or none."""


class Told(NamedTuple):
    """What a call takes along: what was said before it, and whose it is."""

    details: bytes | None
    info: StepInfo | None


class Mouth:
    """In the process. One per process."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._turn = threading.Lock()
        self._news = threading.Event()
        self._sent_at = -TELL_S
        self._call = 0
        self._said: bytes | None = None
        self.details: bytes | None = None
        """What was said last, in this attempt or an earlier one."""
        self.info: StepInfo | None = None
        """Whose attempt it is."""
        threading.Thread(target=self._send_later, name="mainspring-beats", daemon=True).start()

    @contextmanager
    def of(self, call: int, told: Told) -> Generator[None]:
        """What is said within is of this call. One that raises has told all before."""
        self._call = call
        self.details, self.info = told
        speak_through(self)
        try:
            yield
        except Exception:
            with self._turn:
                self._send(over=True)
            raise
        finally:
            speak_through(None)
            self._said = None

    def beat(self, details: bytes | None) -> None:
        with self._turn:
            if details is not None:
                self.details = details
            self._said = self.details or b""
            if time.monotonic() - self._sent_at >= TELL_S:
                self._send(over=False)
            else:
                self._news.set()

    def _send(self, *, over: bool) -> None:
        said, self._said = self._said, None
        if over or said is not None:
            self._sent_at = time.monotonic()
            with suppress(OSError):  # the worker is gone, and soon this process
                self._pipe.send_bytes(_HEAD.pack(self._call, over) + (said or b""))

    def _send_later(self) -> None:
        while True:
            self._news.wait()
            self._news.clear()
            time.sleep(TELL_S)
            with self._turn:
                self._send(over=False)


class Ear:
    """In the worker, on its loop. One per process; it listens in a thread, until that is gone."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._call = 0
        self._pulse: Speaking | None = None
        self._over = asyncio.Event()

    def listen(self, pipe: Pipe) -> None:
        threading.Thread(
            target=self._listen, args=(pipe,), name="mainspring-ear", daemon=True
        ).start()

    def next_call(self) -> tuple[int, Told]:
        """Its number, and what goes along."""
        self._call += 1
        self._pulse = present_pulse()
        self._over.clear()
        if self._pulse is None:
            return self._call, Told(None, None)
        return self._call, Told(self._pulse.details, self._pulse.info)

    async def last_words(self) -> None:
        """Returns once all is heard that the call said before it raised."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_S):
                await self._over.wait()

    def _listen(self, pipe: Pipe) -> None:
        with suppress(EOFError, OSError), pipe:
            while True:
                message = pipe.recv_bytes()
                call, over = cast("tuple[int, bool]", _HEAD.unpack_from(message))
                if call == self._call:
                    self._hear(message[_HEAD.size :], over=over)
        self._on_loop(self._over.set)

    def _hear(self, said: bytes, *, over: bool) -> None:
        pulse = self._pulse
        if pulse is not None and (said or not over):
            with suppress(AttemptOver):
                pulse.beat(said or None)
        if over:
            self._on_loop(self._over.set)

    def _on_loop(self, call: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(call)
