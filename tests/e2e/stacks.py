"""A whole stack as its user starts it: the wrapper, in a folder and on a port of its own."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mainspring_local import identity
from mainspring_local.identity import Process

ROOT = Path(__file__).resolve().parents[2]
READY = "ready; Ctrl-C stops everything in order"
SECONDS_MAX = 90.0


class Stack:
    """`./task VERB` as a child that leads a group of its own, and everything it prints."""

    def __init__(self, *arguments: str, home: Path, **environment: str) -> None:
        self.home = home
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._ended = False
        self._process: subprocess.Popen[str] = subprocess.Popen(
            # As a background job of a shell starts: SIGINT ignored.
            ["/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh", str(ROOT / "task"), *arguments],
            env=os.environ | {"MAINSPRING_HOME": str(home)} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self.lines.append(line.rstrip())
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def wait_line(self, wanted: str | Callable[[str], bool]) -> str:
        """The first line that holds the words; fails with all output when none comes."""

        def fits(line: str) -> bool:
            return wanted in line if isinstance(wanted, str) else wanted(line)

        with self._news:
            came = self._news.wait_for(
                lambda: self._ended or any(map(fits, self.lines)), SECONDS_MAX
            )
            found = next(filter(fits, self.lines), None)
        if not came or found is None:
            pytest.fail(f"no line holds {wanted}:\n" + "\n".join(self.lines))
        return found

    def processes(self) -> list[Process]:
        """The wrapper and all it started, by recorded identity."""
        return [
            identity.of(self._process.pid, name="task"),
            *identity.remembered(self.home / "processes"),
        ]

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def send_group(self, number: signal.Signals) -> None:
        os.killpg(self._process.pid, number)

    def wait(self) -> int:
        status = self._process.wait(SECONDS_MAX)
        self._reader.join(SECONDS_MAX)
        return status

    def end(self) -> None:
        """For a fixture's end: gone, whatever the test did."""
        if self._process.poll() is None:
            self._process.terminate()
            self.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def living(processes: list[Process]) -> list[str]:
    return [process.name for process in processes if identity.is_alive(process)]
