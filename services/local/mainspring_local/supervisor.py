"""Runs programs as real processes: ordered start, restart with backoff, ordered drain."""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from mainspring_kernel import backoff
from mainspring_local import identity
from mainspring_local.console import Console, LogFile, readable
from mainspring_local.errors import StartProblem
from mainspring_local.program import CONFIGURATION_EXIT, Program, tie_to_parent

HEALTH_SECONDS_MAX = 60.0
HEALTH_POLL_SECONDS = 0.05
RESTART = backoff.Policy(first_s=0.4, max_s=10.0)
STARTS_UNHEALTHY_MAX = 4
STEADY_SECONDS = 30.0  # a child that lived this long starts with the shortest backoff again
LINE_BYTES_MAX = 1024 * 1024
LAST_LINES = 20  # of those that a process wrote: enough to say why it ended
SLOW_SECONDS = 3.0  # a step longer than this says every so often that it still waits


class Running(Protocol):
    """A process that was started."""

    @property
    def pid(self) -> int: ...
    @property
    def stdout(self) -> asyncio.StreamReader | None: ...
    @property
    def returncode(self) -> int | None: ...
    async def wait(self) -> int: ...


Spawn = Callable[[Program], Awaitable[Running]]


async def spawn(program: Program) -> Running:
    """With a session of its own, so that all of it can be ended, and without this process."""
    return await asyncio.create_subprocess_exec(
        *program.argv,
        env=program.environment,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        limit=LINE_BYTES_MAX,
        start_new_session=True,
        preexec_fn=tie_to_parent(os.getpid(), program.death_signal),
    )


class Child:
    """One supervised process over all its restarts."""

    def __init__(
        self, program: Program, home: "Folders", console: Console, how: Spawn = spawn
    ) -> None:
        self.program = program
        self._spawn = how
        self.log = LogFile(home.logs / f"{program.name}.log")
        self.starts = 0
        self.up = asyncio.Event()
        self.failed: StartProblem | None = None
        self._started = asyncio.Condition()
        self._home = home
        self._console = console
        self._process: Running | None = None
        self._stopping = False
        self._short_lives = 0
        self._said: deque[str] = deque(maxlen=LAST_LINES)
        """By the newest process alone: the log has those of earlier runs too."""

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    async def supervise(self, draw: Callable[[], float]) -> None:
        """Keeps the process running until `stop`; `draw` gives numbers in [0, 1)."""
        while not self._stopping:
            began = time.monotonic()
            status = await self._live()
            if self._stopping:
                return
            if not self.up.is_set() and self._is_hopeless(status):
                return
            steady = time.monotonic() - began > STEADY_SECONDS
            self._short_lives = 0 if steady else self._short_lives + 1
            delay = backoff.delay_s(RESTART, max(1, self._short_lives), draw())
            self._say(f"ended with status {status}; restarting in {delay:.1f} s")
            await asyncio.sleep(delay)

    def _is_hopeless(self, status: int) -> bool:
        """Before it was ever healthy, waiting longer would only hide why it cannot start."""
        if status == CONFIGURATION_EXIT:
            self.failed = self._complaint("refused its settings")
        elif self.starts >= STARTS_UNHEALTHY_MAX:
            self.failed = self._complaint(f"ends with status {status} each time it is started")
        return self.failed is not None

    async def _live(self) -> int:
        program = self.program
        self._said.clear()
        process = await self._spawn(program)
        identity.remember(
            self._home.records,
            identity.of(process.pid, name=program.name, stop_signal=program.stop_signal),
        )
        async with self._started:
            self._process = process
            self.starts += 1
            self._started.notify_all()
        pumping = asyncio.create_task(self._pump(process))
        await exited(process.pid)
        # What it had started would keep the pipe open, and no restart would come.
        kill_group(process.pid)
        await pumping
        status = await process.wait()
        identity.forget(self._home.records, program.name)
        return status

    async def _pump(self, process: Running) -> None:
        stream = process.stdout
        assert stream is not None  # noqa: S101 -- asked for with PIPE
        while True:
            try:
                line = await stream.readline()
            except ValueError:
                continue  # longer than LINE_BYTES_MAX: the reader dropped it
            if not line:
                return
            try:
                self.log.write(line)
            except OSError as error:
                self._say(f"cannot write its log ({error.strerror})")
            text = line.decode(errors="replace").rstrip()
            self._said.append(text)
            if self.program.shows(text):
                self._console.line(self.program.name, readable(text))

    async def wait_starts(self, count: int) -> None:
        """Returns once the process was started `count` times."""
        async with self._started:
            await self._started.wait_for(lambda: self.starts >= count)

    async def wait_healthy(self) -> None:
        """Returns once healthy; raises StartProblem when that takes too long or cannot be."""
        began = time.monotonic()
        told = began
        while not await self.program.healthy():
            now = time.monotonic()
            if self.failed is not None:
                raise self.failed
            if now - began > HEALTH_SECONDS_MAX:
                raise self._complaint(f"is not healthy after {HEALTH_SECONDS_MAX:.0f} s")
            if now - told > SLOW_SECONDS:
                told = now
                self._say(f"not healthy yet, waiting since {now - began:.0f} s")
            await asyncio.sleep(HEALTH_POLL_SECONDS)
        self.up.set()

    async def stop(self) -> None:
        """Asks, waits for the drain, then kills. Safe to call twice and before the start."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        known = identity.of(process.pid, name=self.program.name)
        identity.send(known, self.program.stop_signal)
        try:
            await asyncio.wait_for(process.wait(), self.program.stop_seconds_max)
        except TimeoutError:
            self._say(f"did not drain in {self.program.stop_seconds_max:.0f} s; killing it")
            identity.send(known, signal.SIGKILL)
            await process.wait()
        identity.forget(self._home.records, self.program.name)

    def _complaint(self, what: str) -> StartProblem:
        tail = f": {last_words(tuple(self._said))}".rstrip(": ")
        return StartProblem(f"{self.program.name} {what}{tail}; its log is {self.log.path}")

    def _say(self, text: str) -> None:
        self._console.say(f"{self.program.name} {text}")


def last_words(lines: Sequence[str]) -> str:
    """The last error of a log in one line, else its last line."""
    said = [line for line in lines if line.strip()]
    errors = [line for line in said if "ERROR" in line or "CRITICAL" in line]
    shown = readable((errors or said or [""])[-1]).splitlines()
    # Of a traceback the end says it.
    return " ".join(dict.fromkeys([shown[0], shown[-1].strip()])) if shown else ""


async def exited(pid: int) -> None:
    """Returns when the process ends, also while others hold its pipes open."""
    if sys.platform != "linux":
        while identity.started(pid) is not None:  # noqa: ASYNC110 -- nothing tells of an exit here
            await asyncio.sleep(HEALTH_POLL_SECONDS)
        return
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()
    loop.add_reader(watched, gone.set)
    try:
        await gone.wait()
    finally:
        loop.remove_reader(watched)
        os.close(watched)


def kill_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


class Folders:
    """Where a supervisor keeps logs and the records of its children."""

    def __init__(self, logs: Path, records: Path) -> None:
        self.logs = logs
        self.records = records


class Supervisor:
    def __init__(
        self, folders: Folders, console: Console, *, draw: Callable[[], float],
        how: Spawn = spawn,
    ) -> None:  # fmt: skip
        """`how` starts a program; tests have another way."""
        self._folders = folders
        self._spawn = how
        self._console = console
        self._draw = draw
        self._waves: list[list[Child]] = []
        self._tasks: list[asyncio.Task[None]] = []

    def child(self, name: str) -> Child:
        return next(c for wave in self._waves for c in wave if c.program.name == name)

    async def start(self, programs: Sequence[Program]) -> list[Child]:
        """Starts a wave and returns it when all of it is healthy. Raises StartProblem."""
        wave = [Child(program, self._folders, self._console, self._spawn) for program in programs]
        self._waves.append(wave)
        for child in wave:
            self._tasks.append(asyncio.create_task(child.supervise(self._draw)))
        await asyncio.gather(*(child.wait_healthy() for child in wave))
        return wave

    async def stop(self) -> None:
        """Stops the waves in reverse order; each drains before what it needs goes away."""
        for wave in reversed(self._waves):
            await asyncio.gather(*(child.stop() for child in wave))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for wave in self._waves:
            for child in wave:
                child.log.close()


def end_orphans(records: Path, say: Callable[[str], None], *, grace_seconds: float = 10.0) -> int:
    """Ends what a crashed supervisor left behind, found by recorded identity. Returns how many."""
    orphans = identity.remembered(records)
    for orphan in orphans:
        say(f"ending {orphan.name} (pid {orphan.pid}), left behind by a crashed predecessor")
        identity.end(orphan, grace_seconds=grace_seconds)
        identity.forget(records, orphan.name)
    return len(orphans)
