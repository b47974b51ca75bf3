"""Programs that stand in for services: they write what they see into a journal."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from mainspring_local.program import Program

SERVICE = """
import os, signal, sys, pathlib
journal, name = pathlib.Path(sys.argv[1]), sys.argv[2]
def note(word):
    with journal.open("a") as handle:
        handle.write(f"{name} {word}\\n")
def leave(*_):
    note("stopped")
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
note("started")
(journal.parent / f"{name}.ready").touch()
while True:
    signal.pause()
"""
PARENT = (
    """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
"""
    + SERVICE
)
STUBBORN = """
import signal, sys, pathlib
signal.signal(signal.SIGTERM, signal.SIG_IGN)
(pathlib.Path(sys.argv[1]).parent / f"{sys.argv[2]}.ready").touch()
while True:
    signal.pause()
"""
MISCONFIGURED = """
import sys
print("MAINSPRING_ENGINE_BIND: not a host:port")
sys.exit(2)
"""
BROKEN = """
import sys
print("no such table")
sys.exit(1)
"""


def program(folder: Path, name: str, script: str = SERVICE, *, grace: float = 10.0) -> Program:
    ready = folder / f"{name}.ready"
    return Program(
        name=name,
        argv=(sys.executable, "-c", script, str(folder / "journal"), name),
        environment={},
        healthy=exists(ready),
        stop_seconds_max=grace,
    )


def exists(path: Path) -> Callable[[], Awaitable[bool]]:
    async def answer() -> bool:
        return path.exists()

    return answer


def journal(folder: Path) -> list[str]:
    return (folder / "journal").read_text().splitlines()
