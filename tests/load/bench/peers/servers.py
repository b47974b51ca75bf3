"""What peers stand on: one Postgres of ours for those that need one, and servers of their own."""

import asyncio
import os
import random
import shutil
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from mainspring_local import sockets
from mainspring_local.console import Console
from mainspring_local.embedded.postgres import Postgres
from mainspring_local.program import tie_to_parent
from mainspring_local.supervisor import Folders, Supervisor
from mainspring_testkit.servers import free_port
from tests.load.bench.crew import BenchFailed
from tests.load.bench.ground import quiet_environment
from tests.load.bench.peers.driver import Place

RESTATE: Final = "@restatedev/restate-server@1.7.12"
STARTED_SECONDS_MAX: Final = 30.0
LEAVE_SECONDS_MAX: Final = 3.0
POLL_S: Final = 0.1


class LeftOut(Exception):
    """This peer cannot be had here; the reason is for the report."""


@asynccontextmanager
async def postgres(folder: Path) -> AsyncGenerator[Postgres]:
    """A server with the settings that our own stack gets, and nothing else on it."""
    server = Postgres(
        folder=folder / "postgres",
        port=free_port(),
        password="peers",
        environment=quiet_environment(os.environ, 0.0),
    )
    await asyncio.to_thread(server.initialise)
    logs, records = folder / "logs", folder / "records"
    for path in (logs, records):
        path.mkdir(exist_ok=True)
    with (logs / "peers.log").open("a") as log:
        supervisor = Supervisor(
            Folders(logs=logs, records=records), Console(log), draw=random.random
        )
        try:
            await supervisor.start([server.program()])
            yield server
        finally:
            await supervisor.stop()


@asynccontextmanager
async def database(server: Postgres, name: str) -> AsyncGenerator[Place]:
    statement = f"create database {name}"
    await asyncio.to_thread(server.psql, "-c", statement, database="postgres")
    yield Place(postgres=server.url(database=name))


@asynccontextmanager
async def restate(folder: Path, tools: Path) -> AsyncGenerator[Place]:
    """Its own log on its own disk, everything by default. Raises LeftOut without its package."""
    binary = await restate_binary(tools)
    ingress, admin, node, handler = (free_port() for _ in range(4))
    words = {
        "RESTATE_DISABLE_TELEMETRY": "true",
        "RESTATE_LISTEN_MODE": "tcp",
        "RESTATE_BIND_IP": sockets.LOOPBACK,
        "RESTATE_BIND_PORT": str(node),
        "RESTATE_INGRESS__BIND_ADDRESS": f"{sockets.LOOPBACK}:{ingress}",
        "RESTATE_ADMIN__BIND_ADDRESS": f"{sockets.LOOPBACK}:{admin}",
        "RESTATE_LOG_FILTER": "error",
    }
    command = [str(binary), "--no-logo", "--base-dir", str(folder / "restate")]
    async with process(command, words, folder):
        await listening(ingress)
        await listening(admin)
        yield Place(
            server=f"{sockets.LOOPBACK}:{ingress}",
            admin=f"{sockets.LOOPBACK}:{admin}",
            handler_port=handler,
        )


async def restate_binary(tools: Path) -> Path:
    """From its package, which is brought once."""
    npm = shutil.which("npm")
    found = tools / "node_modules" / ".bin" / "restate-server"
    if not found.exists():
        if npm is None:
            reason = "its server comes by npm, and there is none"
            raise LeftOut(reason)
        tools.mkdir(parents=True, exist_ok=True)
        bringing = await asyncio.create_subprocess_exec(
            npm, "install", "--silent", "--no-audit", "--no-fund", RESTATE, cwd=tools
        )
        if await bringing.wait() != 0:
            reason = f"npm could not bring {RESTATE}"
            raise LeftOut(reason)
    return found


@asynccontextmanager
async def temporal(folder: Path) -> AsyncGenerator[Place]:
    """Its development server by default, which keeps nothing on disk: with a file it is slower."""
    port = free_port()
    command = [
        str(Path(sys.executable).parent / "temporal"), "server", "start-dev", "--headless",
        "--ip", sockets.LOOPBACK, "--port", str(port),
        "--log-level", "error",
    ]  # fmt: skip
    async with process(command, {}, folder):
        await listening(port)
        yield Place(server=f"{sockets.LOOPBACK}:{port}")


@asynccontextmanager
async def process(
    command: Sequence[str], words: Mapping[str, str], folder: Path
) -> AsyncGenerator[Process]:
    """Gone with its whole group at the end, and with us if we are killed."""
    server = await asyncio.create_subprocess_exec(
        *command,
        stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, cwd=folder, start_new_session=True,
        env=quiet_environment(os.environ, 0.0) | dict(words),
        preexec_fn=tie_to_parent(os.getpid(), signal.SIGKILL),
    )  # fmt: skip
    try:
        yield server
    finally:
        if server.returncode is None:
            os.killpg(server.pid, signal.SIGKILL)
        await server.wait()


async def listening(port: int) -> None:
    """Raises BenchFailed."""
    try:
        async with asyncio.timeout(STARTED_SECONDS_MAX):
            while not await sockets.accepts(sockets.LOOPBACK, port):  # noqa: ASYNC110 -- no signal
                await asyncio.sleep(POLL_S)
    except TimeoutError as error:
        msg = f"nothing listens on {port}"
        raise BenchFailed(msg) from error


@asynccontextmanager
async def driving(name: str, order: bytes, root: Path, log: Path) -> AsyncGenerator[Process]:
    """A process of a peer that has its order."""
    with log.open("ab") as errors:
        driven = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.load.bench.peers.drive", name,
            stdin=PIPE, stdout=PIPE, stderr=errors, cwd=root, start_new_session=True,
            env=quiet_environment(os.environ, 0.0),
            preexec_fn=tie_to_parent(os.getpid(), signal.SIGKILL),
        )  # fmt: skip
    assert driven.stdin is not None
    try:
        driven.stdin.write(order + b"\n")
        await driven.stdin.drain()
        yield driven
    except asyncio.CancelledError:
        # What a client has begun on a stack that stays would wait there for ever.
        driven.stdin.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS_MAX):
                await driven.wait()
        raise
    finally:
        if driven.returncode is None:
            os.killpg(driven.pid, signal.SIGKILL)
        await driven.wait()
