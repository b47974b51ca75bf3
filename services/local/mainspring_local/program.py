"""One program the supervisor runs: how it starts, when it is healthy, how it ends."""

import ctypes
import os
import signal
import sys
from collections.abc import Awaitable, Callable

import msgspec

PR_SET_PDEATHSIG = 1
CONFIGURATION_EXIT = 2


class Program(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    argv: tuple[str, ...]
    environment: dict[str, str]
    healthy: Callable[[], Awaitable[bool]]
    """Asked until it answers true; only then what depends on this program starts."""
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    """Sent by the kernel when the supervisor dies: services are built for it."""
    stop_seconds_max: float = 20.0
    shown: tuple[str, ...] = ()
    """Lines without any of these stay in the log and off the console; empty shows all."""
    hidden: tuple[str, ...] = ()
    """Lines with any of these stay in the log only, whatever `shown` says."""

    def shows(self, line: str) -> bool:
        if any(word in line for word in self.hidden):
            return False
        return not self.shown or any(word in line for word in self.shown)


def tie_to_parent(parent: int, death_signal: int) -> Callable[[], None]:
    """Runs in the child between fork and exec."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None

    def tie() -> None:
        # A background job of a shell starts with SIGINT ignored, and that would be inherited.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != parent:
            os._exit(1)  # the parent died before the line above; there is nothing to clean

    return tie
