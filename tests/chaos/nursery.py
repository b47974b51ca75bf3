"""Services by fork from a process that has imported them all: a start takes a tenth of the CPU.

`python nursery.py FD` serves the socket FD; what it forks is a process as any, with a session, a
log and an environment of its own. It imports nothing of this project before it is asked to, so that
one of this version also serves another tree, whose packages its PYTHONPATH names.
"""

import ctypes
import gc
import importlib
import json
import os
import random
import runpy
import select
import signal
import socket
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Final, TypedDict

MODULES: Final = (
    "tests.chaos.coding", "tests.chaos.service", "mainspring_api.main", "mainspring_engine.main",
    "mainspring_eventstore.main", "mainspring_scheduler.main", "mainspring_worker.main",
)  # fmt: skip
REQUEST_BYTES_MAX: Final = 256 * 1024
PR_SET_PDEATHSIG: Final = 1


class Asked(TypedDict):
    """A module with its arguments, and all of its environment."""

    argv: list[str]
    environment: dict[str, str]


def main(descriptor: int) -> None:
    """Until the other end is closed; in each child, until its service ends."""
    _tie(os.getppid())
    for module in MODULES:
        with suppress(ImportError):  # another version may not have it
            importlib.import_module(module)
    # A thread would not be in the children, and what it holds would stay held.
    assert len(list(Path("/proc/self/task").iterdir())) == 1
    gc.collect()
    gc.freeze()
    channel = socket.socket(fileno=descriptor)
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, _noted)
    channel.send(b"{}")
    while True:
        ready, _, _ = select.select([channel, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _bury(channel)
        if channel not in ready:
            continue
        asked, descriptors, _, _ = socket.recv_fds(channel, REQUEST_BYTES_MAX, 1)
        if not asked:
            return
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            channel.close()
            _live(json.loads(asked), descriptors[0], parent)
            return
        os.close(descriptors[0])
        channel.send(json.dumps({"born": pid}).encode())


def _noted(_number: int, _frame: FrameType | None) -> None:
    """The wake-up descriptor tells it; ignored it would not."""


def _bury(channel: socket.socket) -> None:
    """Tells of all that have ended."""
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            pid, status = ended
            told = {"pid": pid, "status": os.waitstatus_to_exitcode(status)}
            channel.send(json.dumps(told).encode())


def _live(asked: Asked, log: int, parent: int) -> None:
    """As if it had been started anew with these arguments and this environment."""
    os.setsid()
    _tie(parent)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for new, old in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(new, old)
    os.close(log)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # pyright: ignore[reportAttributeAccessIssue] -- text
    os.environ.clear()
    os.environ.update(asked["environment"])
    random.seed()  # else all would draw the same
    module, *arguments = asked["argv"]
    sys.argv = [module, *arguments]
    warnings.filterwarnings("ignore", message=".*found in sys.modules", category=RuntimeWarning)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _tie(parent: int) -> None:
    """Dies with it."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]))
