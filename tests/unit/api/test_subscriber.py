from mainspring_api.domain.frames import Frame
from mainspring_api.domain.limits import SSE_HEARTBEAT_S, SSE_QUEUE_FRAMES_MAX
from mainspring_api.usecases.stream.subscriber import Subscriber
from mainspring_kernel.ids import Position


def frame(seq: int) -> Frame:
    return Frame(Position(seq), "turn.started", b"")


def subscriber() -> Subscriber:
    return Subscriber(now=0.0, cycle_at=300.0)


def test_a_silent_stream_beats_after_its_interval() -> None:
    one = subscriber()

    one.tick(SSE_HEARTBEAT_S - 0.1)
    early = one.heartbeat_due
    one.tick(SSE_HEARTBEAT_S)

    assert not early
    assert one.heartbeat_due


def test_writing_puts_the_beat_off() -> None:
    one = subscriber()
    one.wrote(10.0)

    one.tick(SSE_HEARTBEAT_S + 1)

    assert not one.heartbeat_due


def test_a_stream_is_cycled() -> None:
    one = subscriber()

    one.tick(300.0)

    assert one.ending == "connection_cycle"


def test_the_first_reason_to_end_stands() -> None:
    one = subscriber()
    one.end("server_maintenance")

    one.end("connection_cycle")

    assert one.ending == "server_maintenance"


def test_an_overflow_empties_the_queue_and_is_told() -> None:
    one = subscriber()
    for seq in range(SSE_QUEUE_FRAMES_MAX + 1):
        one.push(frame(seq))

    assert one.behind
    assert one.take() == []


def test_while_behind_nothing_is_queued() -> None:
    one = subscriber()
    one.behind = True
    one.push(frame(1))

    assert one.take() == []
