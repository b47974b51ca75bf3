"""How a fork begins, by where it forks."""

from uuid import UUID

import msgspec

from mainspring_api.domain.forking import OpenTurn, first_events
from mainspring_harness.transcript import Transcript
from mainspring_kernel.ids import SessionId
from mainspring_schema.events import RawPayload, StoredEvent, decode_payload
from tests.unit.harness.conversations import TURN, Log

SOURCE = SessionId(UUID(int=7))


def forked(log: Log) -> tuple[list[str], list[StoredEvent]]:
    """The types of the fork's own events, and all that it holds."""
    turn = OpenTurn(turn_id=TURN, events=tuple(log.events[1:]))
    own = first_events(SOURCE, len(log.events), turn)
    seqs = range(len(log.events) + 1, len(log.events) + 1 + len(own))
    events = [
        StoredEvent(seq, one.type, 1, one.payload) for seq, one in zip(seqs, own, strict=True)
    ]
    return [one.type for one in own], [*log.events, *events]


def data(event: StoredEvent) -> dict[str, object]:
    payload: RawPayload = decode_payload(event.payload)
    return msgspec.json.decode(payload.data, type=dict[str, object])


def begun() -> Log:
    return Log().input(1, "go").add("turn.started", {}).reason(1)


def test_between_turns_a_fork_only_says_where_it_comes_from() -> None:
    (event,) = first_events(SOURCE, 9, None)

    assert event.type == "session.forked"
    assert msgspec.json.decode(event.payload)["data"] == {
        "session_id": f"session_{SOURCE.hex}", "sequence": 9,
    }  # fmt: skip


def test_a_turn_that_waits_for_its_model_is_cancelled_visibly() -> None:
    types, events = forked(begun())

    assert types == ["session.forked", "turn.cancelled", "session.idled"]
    assert data(events[-2])["reason"] == "forked"
    assert decode_payload(events[-2].payload).context.turn_id == TURN


def test_every_open_call_gets_its_one_result() -> None:
    log = begun().answer(2, calls=["c1", "c2", "c3"])
    log.add("tool.started", {"tool_call": {"id": "c1", "name": "add"}}).result("c2")

    types, events = forked(log)

    assert types.count("tool.completed") == 2
    results = [data(event) for event in events if event.type == "tool.completed"][1:]
    assert [(one["tool_call_id"], one["status"]) for one in results] == [
        ("c1", "unknown"), ("c3", "unknown"),
    ]  # fmt: skip
    assert all(one["tool_name"] == "add" for one in results)


def test_calls_that_nobody_had_begun_were_not_made() -> None:
    _, events = forked(begun().answer(2, calls=["c1"]))

    (result,) = [data(event) for event in events if event.type == "tool.completed"]
    assert result["status"] == "cancelled"


def test_a_model_can_go_on_from_there_and_sees_nothing_that_only_waited() -> None:
    log = begun().answer(2, calls=["c1"]).input(3, "so")
    _, events = forked(log)
    transcript = Transcript()

    transcript.take(events)
    later = Log()
    later.events = events
    later.input(4, "on").reason(3, 4)
    transcript.take(later.events)

    shown = [getattr(message, "text", "") for message in transcript.messages()]
    assert (shown[0], shown[-1]) == ("go", "on")
    assert "so" not in shown
