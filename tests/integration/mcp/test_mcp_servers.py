"""Servers that misbehave, and rules that are kept, over the official library's own server."""

import asyncio
import contextlib
import os
import select
import sys
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator
from typing import NamedTuple
from uuid import UUID

import pytest
from msgspec import structs

from mainspring_schema.agents import NetworkAccess
from mainspring_schema.mcp import McpServer
from mainspring_schema.messages import ImagePart
from mainspring_worker.adapters.builtin_tools.web.connecting import Connector
from mainspring_worker.adapters.mcp import connection, processes
from mainspring_worker.adapters.mcp.commands import allowed_commands
from mainspring_worker.adapters.mcp.entry import public_or_loopback
from mainspring_worker.adapters.mcp.servers import McpServers
from mainspring_worker.domain.addresses import is_public
from mainspring_worker.ports.servers import Fault, Reached, Served, ServerFailed
from tests.contract.worker.test_tool_servers import SCRIPT, SESSION, process
from tests.integration.mcp.server import FLOOD, PNG, Seen, over_http, server

WAIT_S = 30.0


class Web(NamedTuple):
    servers: McpServers
    at: Reached
    seen: Seen


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    seen, servers = Seen(), McpServers(connector=Connector(is_allowed=public_or_loopback))
    async with over_http(server(seen)) as url:
        try:
            yield Web(
                servers, Reached(session_id=SESSION, name="w", server=McpServer(url=url)), seen
            )
        finally:
            await servers.aclose()


async def fault_of(servers: McpServers, at: Reached, tool: str = "") -> Fault:
    with pytest.raises(ServerFailed) as failed:
        await (servers.call(at, tool, {}, key="k") if tool else servers.list_tools(at))
    assert str(failed.value)
    return failed.value.fault


def patient(at: Reached, seconds: int) -> Reached:
    return structs.replace(at, server=structs.replace(at.server, timeout_seconds=seconds))


async def test_a_hanging_call_ends_and_the_connection_goes_on(web: Web) -> None:
    at = patient(web.at, 1)

    assert await fault_of(web.servers, at, "hang") == "timeout"
    assert await web.servers.call(at, "echo", {"text": "hi"}, key="k") == Served(
        result={"result": "hi"}
    )


async def test_a_flood_ends_the_call_and_the_next_one_is_answered(web: Web) -> None:
    with pytest.raises(ServerFailed, match="more than 4194304 bytes") as failed:
        await web.servers.call(web.at, "flood", {}, key="k")
    assert failed.value.fault == "broken"
    assert (await web.servers.call(web.at, "echo", {"text": "hi"}, key="k")).failed is False


async def test_who_hangs_on_a_broken_connection_does_not_end_its_successor(web: Web) -> None:
    """It is told of the end later than who asked again meanwhile."""
    longer = asyncio.create_task(fault_of(web.servers, web.at, "hang"))
    await web.seen.started.wait()
    first = next(iter(web.servers._kept.values()))
    first.close()
    successor = asyncio.create_task(web.servers.call(web.at, "wait", {}, key="k"))
    await web.seen.waiting.wait()
    await longer

    web.seen.go_on.set()
    assert (await successor).result == "done"


async def test_a_cancel_reaches_the_server(web: Web) -> None:
    call = asyncio.create_task(web.servers.call(web.at, "hang", {}, key="k"))
    async with asyncio.timeout(WAIT_S):
        await web.seen.started.wait()
        call.cancel()
        await web.seen.cancelled.wait()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_the_server_is_told_the_key_and_images_come_back(web: Web) -> None:
    await web.servers.call(web.at, "add", {"amount": 1}, key="stable")
    drawn = await web.servers.call(web.at, "draw", {}, key="k")

    assert web.seen.keys == ["stable"]
    named = {"type": "image", "media_type": "image/png", "bytes": len(PNG)}
    assert drawn.result == {"content": [named]}
    assert drawn.images == (ImagePart(base64=b64encode(PNG).decode(), media_type="image/png"),)


async def test_a_resource_comes_with_its_text_and_what_no_model_reads_is_named(web: Web) -> None:
    found = await web.servers.call(web.at, "look", {}, key="k")

    text = {"uri": "file:///terms", "media_type": "text/plain", "text": "30 days"}
    assert found.result == {
        "content": [
            {"type": "resource", **text},
            {"type": "resource", "uri": "file:///logo", "bytes": 3},
            {"type": "resource_link", "uri": "file:///more", "name": "more"},
            {"type": "audio", "media_type": "audio/wav"},
        ]
    }


async def test_a_server_that_has_begun_anew_is_asked_anew() -> None:
    servers = McpServers(connector=Connector(is_allowed=public_or_loopback))
    async with over_http(server(Seen())) as url:
        at = Reached(session_id=SESSION, name="w", server=McpServer(url=url))
        before = await servers.list_tools(at)
    assert await fault_of(servers, at) in {"unreachable", "broken"}
    async with over_http(server(Seen(), renamed=True)) as url:
        again = structs.replace(at, server=McpServer(url=url))
        assert len(await servers.list_tools(again)) == len(before) + 1
    await servers.aclose()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/mcp", "http://[::ffff:127.0.0.1]/mcp", "http://[fc00::1]/mcp"]
)
async def test_no_server_inside_a_network_is_asked(url: str) -> None:
    servers = McpServers(connector=Connector(is_allowed=is_public))

    assert (
        await fault_of(servers, Reached(session_id=SESSION, name="w", server=McpServer(url=url)))
        == "refused"
    )
    await servers.aclose()


@contextlib.asynccontextmanager
async def answering(status: int, body: bytes) -> AsyncGenerator[Reached]:
    """A server whose every answer is the same."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {status} No\r\nContent-Type: application/json\r\nConnection: close\r\n"
        writer.write(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/mcp"
        yield Reached(session_id=SESSION, name="w", server=McpServer(url=url))


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (401, b'{"error": "invalid_token"}', "the server answered with HTTP status 401"),
        (503, b"<html>", "the server answered with HTTP status 503"),
        (403, b'{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"closed"}}', "closed"),
    ],
)
async def test_a_server_that_refuses_is_told_by_its_status_or_its_own_words(
    status: int, body: bytes, told: str
) -> None:
    servers = McpServers(connector=Connector(is_allowed=public_or_loopback))
    async with answering(status, body) as at:
        with pytest.raises(ServerFailed, match=told):
            await servers.list_tools(at)
    await servers.aclose()


@pytest.mark.parametrize(
    ("status", "told"),
    [(200, "more than 4194304 bytes in one answer"), (500, "HTTP status 500")],
)
async def test_a_plain_answer_that_is_too_long_is_told_as_that(status: int, told: str) -> None:
    servers = McpServers(connector=Connector(is_allowed=public_or_loopback))
    async with answering(status, FLOOD.encode()) as at:
        with pytest.raises(ServerFailed, match=told):
            await servers.list_tools(at)
    await servers.aclose()


async def test_an_agents_network_rules_hold_for_its_servers(web: Web) -> None:
    closed = structs.replace(web.at, network=NetworkAccess(blocked=("127.0.0.1",)))

    assert await fault_of(web.servers, closed) == "refused"


async def test_a_command_is_started_only_as_it_is_allowed() -> None:
    allowed = allowed_commands(f"TOKEN= {sys.executable} {SCRIPT}; other --flag 'a b'")
    servers = McpServers(connector=Connector(), commands=allowed)

    async def fault(server: McpServer) -> Fault:
        return await fault_of(servers, Reached(session_id=SESSION, name="p", server=server))

    assert await fault(process("more")) == "refused"
    assert await fault(McpServer(command="/bin/sh", args=("-c", "true"))) == "refused"
    assert await fault(structs.replace(process(), env={"LD_PRELOAD": "x"})) == "refused"
    assert await fault(McpServer(command="other", args=("--flag", "a b"))) == "unreachable"
    named = structs.replace(process(), env={"TOKEN": "x"})
    at = Reached(session_id=SESSION, name="p", server=named)
    assert await servers.list_tools(at)
    await servers.aclose()


@pytest.mark.parametrize("how", ["garbage", "deaf", "endless"])
async def test_a_process_that_speaks_no_protocol_is_given_up(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "OPEN_S", 1.0)
    commands = allowed_commands(f"{sys.executable} {SCRIPT} {how}")
    servers = McpServers(connector=Connector(), commands=commands)

    at = Reached(session_id=SESSION, name="p", server=process(how))
    assert await fault_of(servers, at) == "unreachable"
    await servers.aclose()


async def test_a_process_that_floods_is_told_by_the_bound() -> None:
    commands = allowed_commands(f"{sys.executable} {SCRIPT}")
    servers = McpServers(connector=Connector(), commands=commands)
    at = Reached(session_id=SESSION, name="p", server=process())

    with pytest.raises(ServerFailed, match="more than 4194304 bytes") as failed:
        await servers.call(at, "flood", {}, key="k")

    assert failed.value.fault == "broken"
    assert (await servers.call(at, "echo", {"text": "hi"}, key="k")).failed is False
    await servers.aclose()


async def test_of_a_process_that_dies_people_are_told_how_and_operators_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    commands = allowed_commands(f"TOKEN= {sys.executable} {SCRIPT}")
    servers = McpServers(connector=Connector(), commands=commands)
    secretive = structs.replace(process(), env={"TOKEN": "hush"})
    at = Reached(session_id=SESSION, name="p", server=secretive)

    with pytest.raises(ServerFailed, match="process ended with exit status 3") as failed:
        await servers.call(at, "die", {}, key="k")

    assert failed.value.fault == "broken"
    assert "exit status 3: out of paper: ***" in caplog.text
    assert "hush" not in caplog.text
    assert (await servers.call(at, "echo", {"text": "hi"}, key="k")).failed is False
    await servers.aclose()


async def test_a_process_ends_with_its_connection() -> None:
    commands = allowed_commands(f"{sys.executable} {SCRIPT}")
    servers = McpServers(connector=Connector(), commands=commands)
    at = Reached(session_id=SESSION, name="p", server=process())
    told = await servers.call(at, "pid", {}, key="k")
    os.kill(pid := int(str(told.result)), 0)

    await servers.aclose()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_deadline_ends_a_whole_family_of_processes_that_does_not_listen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processes, "STOP_S", 0.2)
    commands = allowed_commands(f"{sys.executable} {SCRIPT} stubborn")
    servers = McpServers(connector=Connector(), commands=commands)
    at = patient(Reached(session_id=SESSION, name="p", server=process("stubborn")), 3)
    pids = [
        int(str((await servers.call(at, who, {}, key="k")).result)) for who in ("pid", "helper")
    ]
    with contextlib.ExitStack() as stack:
        family = [stack.enter_context(os.fdopen(os.pidfd_open(pid))) for pid in pids]

        assert await fault_of(servers, at, "hang") == "timeout"
        await servers.aclose()

        # A killed process of nobody's is gone a moment later: its descriptor says when.
        for process_ in family:
            assert select.select([process_], [], [], 10)[0]


async def test_sessions_do_not_share_a_connection(web: Web) -> None:
    other = structs.replace(web.at, session_id=UUID(int=3))

    await asyncio.gather(web.servers.list_tools(web.at), web.servers.list_tools(other))
    assert len(web.servers._kept) == 2
