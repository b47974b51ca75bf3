"""What every bus promises: the twin and the real one pass the same suite."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from mainspring_kernel.tracing import TraceContext
from mainspring_messaging import Bus, MemoryBus, Message, NatsBus
from mainspring_testkit.servers import NatsServer

TRACE = TraceContext(0xABC, 0xDEF, sampled=True)


@pytest.fixture(params=["memory", "nats"])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    if request.param == "memory":
        memory = MemoryBus()
        yield memory
        await memory.close()
        return
    server: NatsServer = request.getfixturevalue("nats")
    real = NatsBus(server.url, name="contract")
    await real.start(wait_s=5)
    yield real
    await real.close()


@pytest.fixture
def topic() -> str:
    """A subject that no other test uses."""
    return f"mainspring.test.{uuid4().hex}"


class Inbox:
    """Collects messages and lets a test wait for them."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._arrived = asyncio.Condition()

    def __call__(self, message: Message) -> None:
        self.messages.append(message)
        asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        async with self._arrived:
            self._arrived.notify_all()

    async def until(self, count: int) -> list[bytes]:
        async with asyncio.timeout(5), self._arrived:
            await self._arrived.wait_for(lambda: len(self.messages) >= count)
        return [message.data for message in self.messages]


async def test_a_message_reaches_every_subscriber_of_its_subject(bus: Bus, topic: str) -> None:
    first, second, other = Inbox(), Inbox(), Inbox()
    await bus.subscribe(topic, first)
    await bus.subscribe(topic, second)
    await bus.subscribe(f"{topic}.other", other)
    assert await bus.flush(5)

    bus.publish(topic, b"hello")

    assert await first.until(1) == await second.until(1) == [b"hello"]
    assert other.messages == []


async def test_messages_arrive_in_order(bus: Bus, topic: str) -> None:
    inbox = Inbox()
    await bus.subscribe(topic, inbox)
    await bus.flush(5)

    sent = [str(n).encode() for n in range(500)]
    for data in sent:
        bus.publish(topic, data)

    assert await inbox.until(500) == sent


async def test_wildcards_are_followed(bus: Bus, topic: str) -> None:
    one, rest = Inbox(), Inbox()
    await bus.subscribe(f"{topic}.*", one)
    await bus.subscribe(f"{topic}.>", rest)
    await bus.flush(5)

    bus.publish(f"{topic}.a", b"1")
    bus.publish(f"{topic}.a.b", b"2")

    assert await rest.until(2) == [b"1", b"2"]
    assert await one.until(1) == [b"1"]
    assert one.messages[0].subject == f"{topic}.a"


async def test_the_trace_travels_with_the_message(bus: Bus, topic: str) -> None:
    inbox = Inbox()
    await bus.subscribe(topic, inbox)
    await bus.flush(5)

    bus.publish(topic, b"with", trace=TRACE)
    bus.publish(topic, b"without")

    await inbox.until(2)
    assert [message.trace for message in inbox.messages] == [TRACE, None]


async def test_nothing_arrives_after_unsubscribing(bus: Bus, topic: str) -> None:
    gone, stays = Inbox(), Inbox()
    subscription = await bus.subscribe(topic, gone)
    await bus.subscribe(topic, stays)
    await subscription.unsubscribe()
    await subscription.unsubscribe()
    await bus.flush(5)

    bus.publish(topic, b"hello")

    await stays.until(1)
    assert gone.messages == []


async def test_the_callback_never_fires_inside_publish(bus: Bus, topic: str) -> None:
    inbox = Inbox()
    await bus.subscribe(topic, inbox)
    await bus.flush(5)

    bus.publish(topic, b"hello")

    assert inbox.messages == []
    await inbox.until(1)


@pytest.mark.parametrize("subject", ["", "a b", "a..b", "a.*"])
async def test_a_hint_to_no_subject_is_dropped_and_not_raised(bus: Bus, subject: str) -> None:
    bus.publish(subject, b"hello")

    assert await bus.flush(5)


async def test_listening_to_no_subject_is_refused(bus: Bus) -> None:
    with pytest.raises(ValueError, match="no subject"):
        await bus.subscribe("a..b", Inbox())


async def test_a_failing_callback_harms_nobody(
    bus: Bus, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(_: Message) -> None:
        message = "subscriber's bug"
        raise RuntimeError(message)

    inbox = Inbox()
    await bus.subscribe(topic, fails)
    await bus.subscribe(topic, inbox)
    await bus.flush(5)

    bus.publish(topic, b"1")
    bus.publish(topic, b"2")

    assert await inbox.until(2) == [b"1", b"2"]
    assert "subscriber's bug" in caplog.text


async def test_after_closing_hints_are_dropped(bus: Bus, topic: str) -> None:
    await bus.close()
    await bus.close()

    bus.publish(topic, b"hello")

    assert not bus.connected
    assert not await bus.flush(0.1)
