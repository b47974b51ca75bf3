"""Work in processes that are forked for it and leave nothing behind.

A seed ends with coroutines that never end: of crashed hosts, and of all that is under way. To
unwind and collect them took a third of its time, and some were never collected. A process just
ends. It does some items first, for a fork's first touch of each page took a quarter of a seed.
"""

import gc
import os
import pickle
import selectors
import signal
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, NoReturn, TypeVar, cast

T = TypeVar("T")
R = TypeVar("R")
_READ_BYTES: Final = 1 << 16
_SIZE_BYTES: Final = 8
_ITEMS_MAX: Final = 16
"""Of one process: each seed leaves some 4 MB, and more of them are hardly cheaper."""


class Died(Exception):
    """A process ended without an answer; what it said stands above."""


def apart(work: Callable[[T], R], items: Sequence[T], processes: int) -> Iterator[R]:
    """Answers in the order of items, of so many processes at once. Raises Died.

    Who asks for no more ends what is still at work. The caller has no threads.
    """
    gc.collect()
    gc.freeze()  # what was imported is not looked at by any child
    crew = _Crew()
    answers: dict[int, bytes] = {}
    share = max(1, min(_ITEMS_MAX, -(-len(items) // processes)))
    waiting = iter(range(0, len(items), share))
    wanted = 0
    try:
        while True:
            while crew.size < processes and (first := next(waiting, None)) is not None:
                some = items[first : first + share]
                crew.begin(range(first, first + len(some)), map(work, some))
            if not crew.size and wanted not in answers:
                return
            while wanted in answers:
                yield cast("R", pickle.loads(answers.pop(wanted)))  # our own child wrote it
                wanted += 1
            answers.update(crew.ended())
    finally:
        crew.end()


class _Child(NamedTuple):
    pid: int
    asked: deque[int]
    """What it has not answered yet, in order."""
    said: bytearray


class _Crew:
    """Children at work, by the end of the pipe on which each answers."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._children: dict[int, _Child] = {}

    @property
    def size(self) -> int:
        return len(self._children)

    def begin(self, numbers: Iterable[int], work: Iterator[object]) -> None:
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            _live(work, writer)
        os.close(writer)
        self._selector.register(reader, selectors.EVENT_READ)
        self._children[reader] = _Child(pid, deque(numbers), bytearray())

    def ended(self) -> dict[int, bytes]:
        """Answers that are whole now; waits for news of any child."""
        found: dict[int, bytes] = {}
        for key, _ in self._selector.select() if self._children else ():
            child = self._children[key.fd]
            if chunk := os.read(key.fd, _READ_BYTES):
                child.said.extend(chunk)
                found.update(_whole(child))
                continue
            self._leave(key.fd, child.pid)
            if child.asked:
                raise Died(child.asked[0])
        return found

    def end(self) -> None:
        for reader, child in list(self._children.items()):
            os.kill(child.pid, signal.SIGKILL)
            self._leave(reader, child.pid)
        self._selector.close()

    def _leave(self, reader: int, pid: int) -> None:
        del self._children[reader]
        self._selector.unregister(reader)
        os.close(reader)
        os.waitpid(pid, 0)


def _whole(child: _Child) -> Iterator[tuple[int, bytes]]:
    """Answers that have come to their end, each with the number of its item."""
    said = child.said
    while len(said) >= _SIZE_BYTES:
        end = _SIZE_BYTES + int.from_bytes(said[:_SIZE_BYTES])
        if len(said) < end:
            return
        yield child.asked.popleft(), bytes(said[_SIZE_BYTES:end])
        del said[:end]


def _live(work: Iterator[object], writer: int) -> NoReturn:
    """A child: nothing is collected while it works, and nothing unwound when it ends."""
    gc.disable()
    code = 1
    try:
        for answer in work:
            pickled = pickle.dumps(answer)
            said = memoryview(len(pickled).to_bytes(_SIZE_BYTES) + pickled)
            while said:
                said = said[os.write(writer, said) :]
        code = 0
    except BaseException:  # noqa: BLE001 -- it goes no further than this process
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)
