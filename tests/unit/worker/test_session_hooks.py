"""Hooks of a session's beginning: asked once in its life, whatever becomes of its turns."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
import pytest

from mainspring_harness.builtin import builtin_registry
from mainspring_kernel.ids import Position
from mainspring_schema.events import Context, StoredEvent, draft
from mainspring_schema.frames import Config
from mainspring_schema.messages import Json
from mainspring_schema.tasks import ReasonResult
from mainspring_worker.adapters.memory import MemoryEventLog, MemoryHooks
from mainspring_worker.ports.eventlog import LogPage
from mainspring_worker.ports.hooks import HookFailed
from mainspring_worker.ports.model import Done
from tests.unit.worker.making import (
    ANCHOR,
    SESSION,
    TURN,
    event,
    held,
    history,
    reason_payload,
    task,
)
from tests.unit.worker.test_compaction import granted
from tests.unit.worker.test_guard import Told, says, types
from tests.unit.worker.test_hooks import BLOCK, answering, config, hook
from tests.unit.worker.test_reason import RESULT
from tests.unit.worker.workbench import bench

BEGINS = config(hook("session_start"))
SAID = msgspec.json.encode({"decision": "allow", "reason": "welcome"})


async def answered(
    conf: Config, asked: MemoryHooks, before: Sequence[StoredEvent] = (), *, fence: int = 1
) -> tuple[Told, ReasonResult]:
    """The first model call of a turn, in a session whose log has `before` behind its beginning."""
    async with bench(
        script=says(Done(text="Hello.")), registry=builtin_registry(), hooks=asked
    ) as b:
        b.log.events[SESSION] = [*history(), *before]
        b.log.open_anchor(SESSION, ANCHOR, fence)
        engine = await b.engine.attached()
        given = task(held(fence=fence), reason_payload(), config=conf, tail=history())
        engine.give(given)
        told, body = await granted(engine, fence=fence)
        return [one for one in told if one[0].startswith("hook.")], RESULT.decode(body)


def noted(seq: int, type_: str, **more: object) -> StoredEvent:
    data: Json = {"event": "session_start", "hook_id": "h"} | more
    return event(seq, type_, data)


async def test_it_is_asked_before_the_first_message_is_answered() -> None:
    asked = answering(SAID)

    told, result = await answered(BEGINS, asked)

    ((_, subject),) = asked.asked
    assert subject["event"] == "session_start"
    assert subject["id"] == f"session_{SESSION.hex}:session_start:h"
    assert (types(told), result.failure) == (["hook.asked", "hook.allowed"], None)
    assert told[1][1]["reason"] == "welcome"


async def test_it_may_refuse_the_session_and_that_holds_for_every_turn() -> None:
    asked = answering(BLOCK)

    told, first = await answered(BEGINS, asked)
    before = [noted(4, "hook.asked"), noted(5, "hook.blocked", reason="not today")]
    nothing, second = await answered(BEGINS, asked, before)

    assert (types(told), nothing) == (["hook.asked", "hook.blocked"], [])
    assert len(asked.asked) == 1
    for result in (first, second):
        assert result.failure is not None
        assert result.failure.message == "blocked by a hook (h): not today"


def by_pages(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The log is read by five events from here on. Behind which sequence numbers it was."""
    read_after: list[int] = []

    async def page(
        self: MemoryEventLog, session_id: UUID, org_id: UUID, *, after: Position, events_only: bool
    ) -> LogPage:
        del org_id, events_only
        read_after.append(after.seq)
        rest = tuple(e for e in self.events[session_id] if e.seq > after.seq)
        return LogPage(events=rest[:5], more=len(rest) > 5)

    monkeypatch.setattr(MemoryEventLog, "read", page)
    return read_after


async def test_a_session_that_stays_refused_reads_no_more_than_its_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read_after = by_pages(monkeypatch)
    before = [noted(4, "hook.asked"), noted(5, "hook.blocked", reason="not today")]
    later = [event(seq, "turn.failed", {"turn_id": TURN.hex}) for seq in range(6, 50)]

    _, result = await answered(BEGINS, answering(BLOCK), [*before, *later])

    assert result.failure is not None
    assert read_after == [0]


async def test_what_one_allowed_does_not_end_the_search_for_what_another_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by_pages(monkeypatch)
    both = config(hook("session_start"), {**hook("session_start"), "id": "second"})
    before = [noted(4, "hook.asked"), noted(5, "hook.allowed")]
    before += [event(seq, "turn.failed", {"turn_id": TURN.hex}) for seq in range(6, 20)]
    before += [noted(20, "hook.blocked", hook_id="second", reason="not today")]
    asked = answering(BLOCK)

    told, result = await answered(both, asked, before)

    assert (asked.asked, told) == ([], [])
    assert result.failure is not None


async def test_one_that_has_answered_is_not_asked_by_another_attempt() -> None:
    asked = answering(BLOCK)
    before = [noted(4, "hook.asked"), noted(5, "hook.allowed")]

    told, result = await answered(BEGINS, asked, before, fence=2)

    assert (asked.asked, told, result.failure) == ([], [], None)


@pytest.mark.parametrize(
    ("on_error", "seen"),
    [
        ("block", ["hook.failed", "hook.blocked"]),
        ("warn", ["hook.failed", "hook.allowed"]),
        ("allow", ["hook.allowed"]),
    ],
)
async def test_where_a_worker_was_lost_with_the_answer_nobody_asks_again(
    on_error: str, seen: list[str]
) -> None:
    asked = answering(SAID)
    conf = config(hook("session_start", on_error=on_error))

    told, result = await answered(conf, asked, [noted(4, "hook.asked")], fence=2)

    assert (asked.asked, types(told)) == ([], seen)
    assert (result.failure is not None) is (on_error == "block")


async def test_a_session_that_has_an_answer_has_begun() -> None:
    asked = answering(BLOCK)
    said = {
        "message": {
            "id": "message_out",
            "role": "agent",
            "content": [{"type": "text", "text": "Hi."}],
            "created_at": "2026-01-01T00:00:00.000Z",
        }
    }
    answer = StoredEvent(
        4, "output.message.completed", 0, draft("output.message.completed", Context(), said).payload
    )
    async with bench(
        script=says(Done(text="Hello.")), registry=builtin_registry(), hooks=asked
    ) as b:
        b.log.open_anchor(SESSION, ANCHOR, 1)
        engine = await b.engine.attached()
        tail = (*history(), answer)
        engine.give(task(held(), reason_payload(through_seq=4), config=BEGINS, tail=tail))
        _, body = await granted(engine)

    assert (asked.asked, RESULT.decode(body).failure) == ([], None)


@pytest.mark.parametrize("broken", [HookFailed("down"), b'{"decision": "mutate", "value": 1}'])
async def test_its_failure_counts_as_the_configuration_says(broken: bytes | HookFailed) -> None:
    told, result = await answered(config(hook("session_start", on_error="warn")), answering(broken))

    assert types(told) == ["hook.asked", "hook.failed", "hook.allowed"]
    assert result.failure is None


async def test_other_points_of_other_turns_are_no_beginning() -> None:
    asked = answering(SAID)
    other = event(4, "hook.blocked", {"event": "turn_end", "hook_id": "h", "turn_id": TURN.hex})

    _, result = await answered(BEGINS, asked, [other])

    assert (len(asked.asked), result.failure) == (1, None)
