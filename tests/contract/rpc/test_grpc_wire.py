"""Our end of gRPC beside ours and beside grpcio: a call must not tell who is at the other end."""

import asyncio

import pytest

from mainspring_kernel import limits
from mainspring_rpc.http2 import bounds
from mainspring_rpc.status import CallFailed, Status
from tests.contract.rpc.ends import PAIRS, Talk, between, messages
from tests.contract.rpc.raw import WAIT_S

Pair = tuple[str, str]
pairs = pytest.mark.parametrize("pair", PAIRS, ids=[f"{one} to {other}" for one, other in PAIRS])


@pairs
@pytest.mark.parametrize("size", [0, 1, 16_379, 16_380, 70_000, limits.RPC_MESSAGE_BYTES_MAX])
async def test_a_message_of_any_size_comes_back(pair: Pair, size: int) -> None:
    message = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    async with between(pair) as client:
        assert await client.ask(message) == message
        assert await client.ask(message) == message


@pairs
async def test_many_calls_at_once_are_each_answered_with_their_own(pair: Pair) -> None:
    async with between(pair) as client:
        sent = [str(number).encode() * (number % 50) for number in range(2 * bounds.CALLS_MAX)]

        assert await asyncio.gather(*map(client.ask, sent)) == sent


@pairs
async def test_both_ends_of_a_stream_send_until_one_has_said_all(pair: Pair) -> None:
    async with between(pair) as client:
        call = await client.open()
        sent = [b"x" * size for size in (0, 5, 100_000, 1, 300_000)]
        for message in sent:
            await call.send(message)
            assert await call.receive() == message
        await call.finish()

        assert await call.receive() is None


@pairs
async def test_a_stream_carries_more_than_its_windows_hold(pair: Pair) -> None:
    async with between(pair) as client:
        call = await client.open()
        message = b"x" * 100_000

        async def send() -> None:
            for _ in range(100):
                await call.send(message)
            await call.finish()

        sending = asyncio.create_task(send())
        received = [len(one) async for one in messages(call)]
        await sending

        assert received == [len(message)] * 100


@pairs
async def test_who_reads_nothing_holds_its_sender_and_nobody_else(pair: Pair) -> None:
    """What fits into windows and the system's buffers is taken, and not one message more."""
    sent = 0
    full = asyncio.Event()

    async def pour(talk: Talk) -> None:
        nonlocal sent
        await talk.receive()
        while True:
            try:
                async with asyncio.timeout(0.5):
                    await talk.send(b"x" * 100_000)
            except TimeoutError:
                full.set()
                await asyncio.Event().wait()
            sent += 1

    async with between(pair, stream=pour) as client:
        call = await client.open()
        await call.send(b"")
        async with asyncio.timeout(WAIT_S):
            await full.wait()

        assert 0 < sent < 200
        assert await client.ask(b"others go on") == b"others go on"
        call.cancel()


@pairs
async def test_a_failure_arrives_with_its_status_its_details_and_its_metadata(pair: Pair) -> None:
    metadata = (("seen", "twice"), ("packed-bin", bytes(range(256))))

    async def refuse(message: bytes, said: dict[str, str]) -> bytes:
        del message, said
        raise CallFailed(Status.FAILED_PRECONDITION, "50 % of “this” is\nnot so", metadata)

    async with between(pair, unary=refuse) as client:
        with pytest.raises(CallFailed) as caught:
            await client.ask(b"")

    failure = caught.value
    assert (failure.status, failure.details) == (
        Status.FAILED_PRECONDITION,
        "50 % of “this” is\nnot so",
    )
    assert set(metadata) <= set(failure.metadata)


@pairs
async def test_metadata_of_the_caller_is_there(pair: Pair) -> None:
    async def tell(message: bytes, said: dict[str, str]) -> bytes:
        del message
        return said["traceparent"].encode()

    async with between(pair, unary=tell) as client:
        for number in range(3):
            metadata = (("traceparent", f"00-{number:032x}-{number:016x}-01"),)
            assert await client.ask(b"", metadata=metadata) == metadata[0][1].encode()


@pairs
async def test_an_error_of_a_stream_comes_behind_what_was_sent_before_it(pair: Pair) -> None:
    async def fail(talk: Talk) -> None:
        await talk.send(b"first")
        await talk.receive()
        raise CallFailed(Status.ABORTED, "enough")

    async with between(pair, stream=fail) as client:
        call = await client.open()
        assert await call.receive() == b"first"
        await call.send(b"")

        with pytest.raises(CallFailed) as caught:
            await call.receive()
    assert (caught.value.status, caught.value.details) == (Status.ABORTED, "enough")


@pairs
async def test_a_server_may_end_a_stream_while_its_client_sends(pair: Pair) -> None:
    async def first_only(talk: Talk) -> None:
        await talk.send(await talk.receive() or b"")

    async with between(pair, stream=first_only) as client:
        call = await client.open()
        await call.send(b"one")
        assert await call.receive() == b"one"
        assert await call.receive() is None

        assert await client.ask(b"the connection is as it was") == b"the connection is as it was"


@pairs
async def test_a_method_that_is_not_served_is_not_implemented(pair: Pair) -> None:
    async with between(pair) as client:
        for path in ("/test.Echo/Other", "/nobody/Unary"):
            with pytest.raises(CallFailed) as caught:
                await client.ask(b"x" * 100_000, path=path)
            assert caught.value.status is Status.UNIMPLEMENTED
        assert await client.ask(b"still here") == b"still here"


@pairs
async def test_the_handler_is_cancelled_when_its_caller_waits_no_longer(pair: Pair) -> None:
    entered, left = asyncio.Event(), asyncio.Event()

    async def wait(message: bytes, said: dict[str, str]) -> bytes:
        del said
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()
        return message

    async with between(pair, unary=wait) as client:
        with pytest.raises(CallFailed) as caught:
            await client.ask(b"", timeout_s=0.1)
        assert caught.value.status is Status.DEADLINE_EXCEEDED
        async with asyncio.timeout(WAIT_S):
            await left.wait()
        entered.clear()
        left.clear()
        call = asyncio.create_task(client.ask(b""))
        await entered.wait()
        call.cancel()
        async with asyncio.timeout(WAIT_S):
            await left.wait()


@pairs
async def test_the_handler_of_a_stream_is_cancelled_with_its_call(pair: Pair) -> None:
    left = asyncio.Event()

    async def wait(talk: Talk) -> None:
        await talk.send(b"here")
        try:
            await asyncio.Event().wait()
        finally:
            left.set()

    async with between(pair, stream=wait) as client:
        call = await client.open()
        assert await call.receive() == b"here"
        call.cancel()

        async with asyncio.timeout(WAIT_S):
            await left.wait()
        with pytest.raises(CallFailed):
            await call.receive()
