"""Requests rebuilt from a log: what is the same, what is not, and what nobody can tell."""

from mainspring_harness.hashing import request_hash
from mainspring_harness.replaying import Replay, Replayed
from mainspring_harness.transcript import Transcript
from tests.unit.harness.conversations import Log

CONFIG, STABLE = b"c" * 32, b"s" * 32


def known(config_hash: bytes) -> bytes | None:
    return STABLE if config_hash == CONFIG else None


def replayed(log: Log) -> list[Replayed]:
    replay = Replay(known)
    replay.take(log.events)
    return replay.calls


def recorded(log: Log, *, config: bytes = CONFIG, effort: str | None = None) -> Log:
    """The model call that the log stands at, as a worker records it."""
    transcript = Transcript()
    transcript.take(log.events)
    hash_ = request_hash(STABLE, transcript, effort).hex()
    return log.add("llm.generation", {"request": {"hash": hash_, "config_hash": config.hex()}})


def test_what_was_sent_is_rebuilt_call_by_call() -> None:
    log = recorded(Log().input(1, "go").reason(1)).answer(2, calls=["c1"]).result("c1")
    log = recorded(log.reason()).answer(3, "done")

    assert [one.status for one in replayed(log)] == ["matches", "matches"]


def test_a_conversation_that_was_told_shorter_is_rebuilt_as_it_was_told() -> None:
    log = Log().input(1, "go").reason(1)
    log.add("context.compacted", {"covers": 1, "summary": "gone"})

    assert [one.status for one in replayed(recorded(log))] == ["matches"]


def test_a_request_that_is_not_what_the_log_says_differs() -> None:
    other = recorded(Log().input(1, "other").reason(1))
    log = Log().input(1, "go").reason(1)
    log.events.append(other.events[-1])

    (one,) = replayed(log)

    assert (one.status, one.recorded != one.rebuilt) == ("differs", True)


def test_what_nobody_knows_is_not_called_wrong() -> None:
    strange = recorded(Log().input(1, "go").reason(1), config=b"x" * 32)
    old = Log().input(1, "go").reason(1).add("llm.generation", {"request": {"hash": "00"}})

    assert [one.status for log in (strange, old) for one in replayed(log)] == ["unknown"] * 2
