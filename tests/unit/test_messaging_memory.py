from mainspring_messaging import MemoryBus, Message, Signal, SignalKind


async def test_messages_during_a_disconnection_are_lost_and_the_watchers_told() -> None:
    bus, got, signals = MemoryBus(), list[Message](), list[Signal]()
    await bus.subscribe("a", got.append)
    bus.watch(signals.append)

    bus.disconnect()
    bus.publish("a", b"lost")
    bus.reconnect()
    bus.publish("a", b"found")
    await bus.flush(1)

    assert [message.data for message in got] == [b"found"]
    assert [signal.kind for signal in signals] == [SignalKind.DISCONNECTED, SignalKind.CONNECTED]
    assert bus.dropped == 1


async def test_a_slow_subscriber_loses_messages_and_is_told_to_resynchronise() -> None:
    bus, got, signals = MemoryBus(pending_max=2), list[Message](), list[Signal]()
    await bus.subscribe("a", got.append)
    bus.watch(signals.append)

    for n in range(3):
        bus.publish("a", bytes([n]))
    await bus.flush(1)

    assert len(got) == 2
    assert signals == [Signal(kind=SignalKind.OVERFLOWED, subject="a")]


async def test_a_failing_watcher_harms_nobody() -> None:
    bus, signals = MemoryBus(), list[Signal]()

    def fails(_: Signal) -> None:
        raise RuntimeError

    bus.watch(fails)
    bus.watch(signals.append)

    bus.disconnect()

    assert len(signals) == 1
