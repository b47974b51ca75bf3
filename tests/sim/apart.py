"""Work in processes that are forked for it and leave nothing behind.

A seed ends with coroutines that never end: of crashed hosts, and of all that is under way. To
unwind and collect them took a third of its time, and some were never collected. A process just
ends.
"""

import gc
import os
import pickle
import selectors
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NoReturn, TypeVar, cast

T = TypeVar("T")
R = TypeVar("R")
_READ_BYTES: Final = 1 << 16


class Died(Exception):
    """A process ended without an answer; what it said stands above."""


def apart(work: Callable[[T], R], items: Iterable[T], processes: int) -> Iterator[R]:
    """Answers in the order of items, so many at once. Raises Died.

    Who asks for no more ends what is still at work. The caller has no threads.
    """
    gc.collect()
    gc.freeze()  # what was imported is not looked at by any child
    crew = _Crew()
    answers: dict[int, bytes] = {}
    waiting = enumerate(items)
    wanted = 0
    try:
        while True:
            while crew.size < processes and (following := next(waiting, None)) is not None:
                crew.begin(following[0], lambda item=following[1]: work(item))
            if not crew.size and wanted not in answers:
                return
            while wanted in answers:
                yield cast("R", pickle.loads(answers.pop(wanted)))  # our own child wrote it
                wanted += 1
            answers.update(crew.ended())
    finally:
        crew.end()


class _Crew:
    """Children at work, by the end of the pipe on which each answers."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._children: dict[int, tuple[int, int, bytearray]] = {}

    @property
    def size(self) -> int:
        return len(self._children)

    def begin(self, number: int, work: Callable[[], object]) -> None:
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            _live(work, writer)
        os.close(writer)
        self._selector.register(reader, selectors.EVENT_READ)
        self._children[reader] = (number, pid, bytearray())

    def ended(self) -> dict[int, bytes]:
        """Answers that are whole now; waits for news of any child."""
        found: dict[int, bytes] = {}
        for key, _ in self._selector.select() if self._children else ():
            number, pid, said = self._children[key.fd]
            if chunk := os.read(key.fd, _READ_BYTES):
                said += chunk
                continue
            self._leave(key.fd, pid)
            if not said:
                raise Died(number)
            found[number] = bytes(said)
        return found

    def end(self) -> None:
        for reader, (_, pid, _) in list(self._children.items()):
            os.kill(pid, signal.SIGKILL)
            self._leave(reader, pid)
        self._selector.close()

    def _leave(self, reader: int, pid: int) -> None:
        del self._children[reader]
        self._selector.unregister(reader)
        os.close(reader)
        os.waitpid(pid, 0)


def _live(work: Callable[[], object], writer: int) -> NoReturn:
    """A child: nothing is collected while it works, and nothing unwound when it ends."""
    gc.disable()
    code = 1
    try:
        said = memoryview(pickle.dumps(work()))
        while said:
            said = said[os.write(writer, said) :]
        code = 0
    except BaseException:  # noqa: BLE001 -- it goes no further than this process
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)
