"""What the log says of turns and attempts."""

import io
import json
import logging
from collections.abc import Iterator
from typing import cast
from uuid import UUID

import pytest
from msgspec import structs

from mainspring_engine.adapters import turn_log
from mainspring_engine.domain.rows import Closing
from mainspring_engine.ports.outside import AttemptEnd
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_kernel.tracing import TraceContext
from mainspring_runtime import logs
from mainspring_schema.frames import Held
from mainspring_schema.tasks import Failure, ReasonResult
from tests.unit.engine.desk import Desk

TRACE = TraceContext(0xA, 0xB, sampled=False)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    out = io.StringIO()
    logs.configure("engine", "info", out)
    yield out
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def told(lines: io.StringIO) -> list[dict[str, object]]:
    return [cast("dict[str, object]", json.loads(line)) for line in lines.getvalue().splitlines()]


def tell_end(desk: Desk) -> None:
    assert desk.last is not None
    for change in desk.last.workflows:
        turn_log.turn_ended(desk.last, change)


def ended(closing: Closing) -> AttemptEnd:
    return AttemptEnd(
        held=Held(UUID(int=3), 2),
        session_id=UUID(int=1),
        workflow_id=UUID(int=2),
        traceparent=TRACE.format(),
        closing=closing,
        claimed_ms=1,
        ended_ms=2,
    )


def test_failed_turn_is_told_with_its_code_and_where_it_belongs(lines: io.StringIO) -> None:
    desk = Desk()
    desk.say("x")
    failure = Failure(error_class="auth", code="provider_misconfigured", message="no key")
    desk.answer(ReasonResult(failure=failure))

    tell_end(desk)

    (line,) = told(lines)
    assert line["level"] == "WARNING"
    assert line["message"] == "turn failed: provider_misconfigured: no key"
    assert line["session"] == to_wire(Prefix.SESSION, desk.session_id)
    assert str(line["turn"]).startswith("turn_")
    assert len(str(line["trace_id"])) == 32


def test_turn_that_went_well_is_no_news(lines: io.StringIO) -> None:
    desk = Desk()
    desk.say("x")
    desk.reply("y")

    tell_end(desk)

    assert told(lines) == []


def test_attempt_that_was_lost_is_told_with_its_ids(lines: io.StringIO) -> None:
    turn_log.attempt_ended(ended(Closing.EXPIRED))

    (line,) = told(lines)
    assert (line["level"], line["message"]) == ("WARNING", "attempt expired")
    assert (line["session"], line["turn"], line["task"], line["fence"]) == (
        to_wire(Prefix.SESSION, UUID(int=1)),
        to_wire(Prefix.TURN, UUID(int=2)),
        to_wire(Prefix.TASK, UUID(int=3)),
        2,
    )
    assert line["trace_id"] == TRACE.trace_hex


def test_workflow_without_a_session_is_named_as_one(lines: io.StringIO) -> None:
    own = structs.replace(ended(Closing.EXPIRED), workflow_id=UUID(int=1))

    turn_log.attempt_ended(own)

    (line,) = told(lines)
    assert line["workflow"] == to_wire(Prefix.WORKFLOW, UUID(int=1))
    assert not {"session", "turn"} & line.keys()


def test_attempt_with_a_result_is_no_news(lines: io.StringIO) -> None:
    turn_log.attempt_ended(ended(Closing.RESULT))

    assert told(lines) == []
