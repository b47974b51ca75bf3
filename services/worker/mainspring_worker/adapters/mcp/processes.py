"""MCP servers that are processes of the worker's machine: only those that its operator allows.

A process gets its own group, an empty folder, a path and the variables that the operator lets
sessions set; nothing of the worker's own environment. It ends with its connection.
"""

import asyncio
import logging
import os
import signal
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final, TypeAlias

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import (
    CONNECTION_CLOSED,
    ErrorData,
    JSONRPCError,
    JSONRPCRequest,
    JSONRPCResponse,
    RequestId,
    jsonrpc_message_adapter,
)

from mainspring_harness.mcp import command_line
from mainspring_schema.mcp import McpServer
from mainspring_worker.adapters.mcp.commands import AllowedCommand
from mainspring_worker.adapters.mcp.limits import ANSWER_BYTES_MAX, ERROR_BYTES_KEPT, STOP_S
from mainspring_worker.ports.servers import ServerFailed

Incoming: TypeAlias = MemoryObjectSendStream[SessionMessage | Exception]
Streams: TypeAlias = tuple[
    MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]
]
_LOG: Final = logging.getLogger(__name__)
_PATH: Final = "/usr/local/bin:/usr/bin:/bin"


def check_allowed(server: McpServer, allowed: Sequence[AllowedCommand]) -> None:
    """Raises ServerFailed."""
    line = command_line(server)
    command = next((one for one in allowed if one.line == line), None)
    if command is None:
        message = "no command is started that the worker's operator has not allowed"
        raise ServerFailed("refused", message)
    if strange := sorted(set(server.env) - command.variables):
        message = f"the worker's operator does not let sessions set {', '.join(strange)}"
        raise ServerFailed("refused", message)


@asynccontextmanager
async def process_streams(server: McpServer) -> AsyncGenerator[Streams]:
    """Starts the server; its messages both ways until the block ends. Raises OSError."""
    with tempfile.TemporaryDirectory(prefix="mcp-") as folder:
        process = await asyncio.create_subprocess_exec(
            server.command or "",
            *server.args,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            cwd=folder,
            env={"PATH": _PATH, "HOME": folder, **server.env},
            start_new_session=True,
            limit=ANSWER_BYTES_MAX,
        )
        try:
            async with _joined(process, _Complaint(server.env.values())) as streams:
                yield streams
        finally:
            await _end(process)


@asynccontextmanager
async def _joined(process: Process, complaint: "_Complaint") -> AsyncGenerator[Streams]:
    incoming_in, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    outgoing, outgoing_out = anyio.create_memory_object_stream[SessionMessage](0)
    asked: set[RequestId] = set()
    async with incoming_in, incoming, outgoing, outgoing_out, anyio.create_task_group() as group:
        group.start_soon(_read, process, incoming_in, asked, complaint)
        group.start_soon(complaint.listen, process)
        group.start_soon(_write, process, outgoing_out, asked)
        yield incoming, outgoing
        group.cancel_scope.cancel()


async def _read(
    process: Process, incoming: Incoming, asked: set[RequestId], complaint: "_Complaint"
) -> None:
    """Until the process falls silent for good, or says more in a line than is read.

    `asked` are the requests without an answer.
    """
    assert process.stdout is not None  # noqa: S101 - it was asked for
    async with incoming:
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:  # the line is over its bound: the connection ends
                words = f"the server sent more than {ANSWER_BYTES_MAX} bytes in one message"
                return await _answer_all(asked, words, incoming)
            if not line:
                return await _answer_all(asked, await _fate(process, complaint), incoming)
            try:
                message = jsonrpc_message_adapter.validate_json(line, by_name=False)
            except ValueError as error:
                await incoming.send(error)
                continue
            if isinstance(message, JSONRPCResponse | JSONRPCError) and message.id is not None:
                asked.discard(message.id)
            await incoming.send(SessionMessage(message))


async def _answer_all(asked: set[RequestId], words: str, incoming: Incoming) -> None:
    """Who waits would read only that the connection is closed."""
    error = ErrorData(code=CONNECTION_CLOSED, message=words)
    for id_ in tuple(asked):  # more may be asked meanwhile
        await incoming.send(SessionMessage(JSONRPCError(jsonrpc="2.0", id=id_, error=error)))


async def _fate(process: Process, complaint: "_Complaint") -> str:
    """What became of a process that says nothing any more; what it complained of, to the log."""
    with suppress(TimeoutError):
        async with asyncio.timeout(STOP_S):
            await process.wait()
            await complaint.over.wait()
    if process.returncode is None:
        return "the server closed its output"
    words = f"the server's process ended with exit status {process.returncode}"
    _LOG.warning("%s: %s", words, complaint)
    return words


class _Complaint:
    """The end of what a process writes to its error output.

    Its text form is without what the session put into its environment: secrets must not end in a
    log.
    """

    def __init__(self, hidden: Iterable[str]) -> None:
        # The longest first: one may be a part of another.
        self._hidden = sorted((one for one in hidden if one), key=len, reverse=True)
        self._end = bytearray()
        self.over = asyncio.Event()

    def __str__(self) -> str:
        text = self._end.decode(errors="replace").strip() or "no complaint"
        for one in self._hidden:
            text = text.replace(one, "***")
        return text[-ERROR_BYTES_KEPT // 2 :]  # half a secret at the cut is not found

    async def listen(self, process: Process) -> None:
        assert process.stderr is not None  # noqa: S101 - it was asked for
        while chunk := await process.stderr.read(ERROR_BYTES_KEPT):
            self._end += chunk
            del self._end[:-ERROR_BYTES_KEPT]
        self.over.set()


async def _write(
    process: Process, outgoing: MemoryObjectReceiveStream[SessionMessage], asked: set[RequestId]
) -> None:
    assert process.stdin is not None  # noqa: S101 - it was asked for
    async for item in outgoing:
        if isinstance(item.message, JSONRPCRequest):
            asked.add(item.message.id)
        text = item.message.model_dump_json(by_alias=True, exclude_unset=True)
        process.stdin.write(text.encode() + b"\n")
        with suppress(ConnectionError):
            await process.stdin.drain()


async def _end(process: Process) -> None:
    """The whole group, also where the caller is cancelled: kill is the last word."""
    if process.stdin is not None:
        process.stdin.close()
    _signal(process, signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        pass
    finally:
        _signal(process, signal.SIGKILL)
    with suppress(TimeoutError):
        async with asyncio.timeout(STOP_S):
            await process.wait()


def _signal(process: Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
