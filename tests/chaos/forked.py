"""The other end of a nursery: what it forks, as a supervisor knows its processes."""

import asyncio
import asyncio.subprocess
import json
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, cast

from mainspring_local.program import Program
from mainspring_local.supervisor import LINE_BYTES_MAX, Running, spawn

NURSERY: Final = Path(__file__).with_name("nursery.py")
READY_S: Final = 120.0
"""All services are imported, on a slow machine."""
ANSWER_BYTES_MAX: Final = 4096


class Forked:
    """A process that a nursery forked."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.stdout: asyncio.StreamReader | None = None
        self.returncode: int | None = None
        self._ended = asyncio.Event()

    def ended(self, status: int) -> None:
        self.returncode = status
        self._ended.set()

    async def wait(self) -> int:
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode


class Nursery:
    """Of one tree, whose packages `environment` names."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._one_at_a_time = asyncio.Lock()
        self._living: dict[int, Forked] = {}
        self._born: asyncio.Queue[Forked] = asyncio.Queue()
        self._channel: socket.socket | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._hearing: asyncio.Task[None] | None = None

    async def spawn(self, program: Program) -> Running:
        """What is no module of Python is started as always."""
        if program.argv[:2] != (sys.executable, "-m"):
            return await spawn(program)
        async with self._one_at_a_time:
            channel = self._channel or await self._open()
            read, write = os.pipe()
            asked = {"argv": program.argv[2:], "environment": program.environment}
            try:
                socket.send_fds(channel, [json.dumps(asked).encode()], [write])
            finally:
                os.close(write)
            forked = await self._born.get()
            forked.stdout = await _reader(read)
            return forked

    async def close(self) -> None:
        if self._hearing is not None:
            self._hearing.cancel()
        if self._channel is not None:
            self._channel.close()
        if self._process is not None:
            await self._process.wait()

    async def _open(self) -> socket.socket:
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with far:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, str(NURSERY), str(far.fileno()),
                env=self._environment, pass_fds=[far.fileno()],
            )  # fmt: skip
        near.setblocking(False)
        self._channel = near
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(READY_S):
            assert await loop.sock_recv(near, ANSWER_BYTES_MAX), "the nursery has ended"
        self._hearing = asyncio.create_task(self._hear(near), name="nursery")
        return near

    async def _hear(self, channel: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while told := await loop.sock_recv(channel, ANSWER_BYTES_MAX):
            news = cast("dict[str, int]", json.loads(told))
            if "born" in news:
                forked = self._living[news["born"]] = Forked(news["born"])
                self._born.put_nowait(forked)
            else:
                self._living.pop(news["pid"]).ended(news["status"])


async def _reader(descriptor: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
    )
    return reader
