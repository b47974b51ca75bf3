"""A server process that a test can stop, kill and start again on the same port."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from mainspring_local.program import Program, tie_to_parent

READY_SECONDS_MAX = 30.0
POLL_SECONDS = 0.02


class ServerProcess:
    """Runs one program until `stop`; the kernel ends it should the test process die first."""

    def __init__(self, program: Program, ready: Callable[[], bool], log: Path) -> None:
        self._program = program
        self._ready = ready
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the living process. Raises RuntimeError where there is none."""
        if self._process is None:
            message = f"{self._program.name} is not running"
            raise RuntimeError(message)
        return self._process.pid

    def start(self) -> None:
        """Returns when the server answers. Raises RuntimeError with its log when it does not."""
        with self._log.open("ab") as log:
            self._process = self._spawn(log)
        deadline = time.monotonic() + READY_SECONDS_MAX
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                message = f"{self._program.name} did not start:\n{self._log.read_text()[-4000:]}"
                raise RuntimeError(message)
            time.sleep(POLL_SECONDS)

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._program.argv,
            env=self._program.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=tie_to_parent(os.getpid(), self._program.death_signal),  # noqa: PLW1509 -- started from one thread
        )

    def stop(self) -> int | None:
        """Asks by the program's own signal and waits for its status. None where nothing ran."""
        return self._end(self._program.stop_signal)

    def kill(self) -> None:
        """The crash: no goodbye to anybody."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def _end(self, number: signal.Signals) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        process.send_signal(number)
        try:
            return process.wait(self._program.stop_seconds_max)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()
