"""What a worker may say: a lie or a slip must not get into anybody's log, or books."""

from uuid import UUID

import msgspec
import pytest

from mainspring_engine.domain.checks import (
    check_attach,
    check_frame,
    check_result,
    check_steps,
    check_wanted,
)
from mainspring_engine.domain.limits import FRAME_PARTS_MAX, WORKER_SLOTS_MAX
from mainspring_kernel.declaration_limits import WAIT_MS_MAX
from mainspring_kernel.limits import (
    WORKFLOW_STEPS_PER_FRAME_MAX,
    WORKFLOW_TYPE_CHARS_MAX,
    WORKFLOW_VALUE_BYTES_MAX,
)
from mainspring_schema.events import Usage
from mainspring_schema.frames import Attach, Beat, Emit, FromWorker, Held, HistoryWanted
from mainspring_schema.tasks import (
    Judged,
    ReasonResult,
    TaskResult,
    ToolCall,
    ToolResult,
    WorkflowResult,
)
from mainspring_schema.workflows import StepRecord, Wait

STEP = StepRecord(step="1", name="a")


def test_what_an_honest_worker_sends_is_taken() -> None:
    check_result(WorkflowResult(outcome="completed", result=b'{"a":[1]}', steps=(STEP,)))


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b'{"a":1} x', b'"\xff"', b'"' + b"x" * WORKFLOW_VALUE_BYTES_MAX + b'"'],
    ids=["empty", "cut", "more", "no utf-8", "long"],
)
def test_a_value_that_is_no_json_or_too_long_is_refused(raw: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        check_result(WorkflowResult(outcome="completed", result=raw))
    with pytest.raises(msgspec.DecodeError):
        check_steps((StepRecord(step="1", name="a", result=raw),), ())


@pytest.mark.parametrize(
    "steps",
    [
        (STEP,) * (WORKFLOW_STEPS_PER_FRAME_MAX + 1),
        (StepRecord(step="1", name="a" * (WORKFLOW_TYPE_CHARS_MAX + 1)),),
        (StepRecord(step="", name="a"),),
        (StepRecord(step="1/" * 200, name="a"),),
    ],
    ids=["many", "name", "no place", "deep"],
)
def test_steps_beyond_their_bounds_are_refused(steps: tuple[StepRecord, ...]) -> None:
    with pytest.raises(msgspec.DecodeError):
        check_steps(steps, ())


@pytest.mark.parametrize(
    "result",
    [
        ReasonResult(usage=Usage(input_tokens=-1)),
        ReasonResult(usage=Usage(output_tokens=2**63 - 1)),
        ReasonResult(usage=Usage(estimated_cost_usd=float("nan"))),
        ReasonResult(usage=Usage(estimated_cost_usd=float("inf"))),
        ReasonResult(usage=Usage(estimated_cost_usd=-0.01)),
        ReasonResult(helper_calls=-1),
        ReasonResult(judged=Judged(duration_ms=-1)),
        ToolResult(status="success", duration_ms=-1),
        ToolResult(status="success", judged=Judged(calls=2**40)),
    ],
    ids=repr,
)
def test_nobody_gives_a_budget_back_what_it_was_charged_or_breaks_its_sums(
    result: TaskResult,
) -> None:
    with pytest.raises(msgspec.DecodeError):
        check_result(result)


@pytest.mark.parametrize("name", ["a\0b", "x" * 1000], ids=["nul", "long"])
def test_a_call_goes_to_no_capability_that_has_no_name(name: str) -> None:
    call = ToolCall(id="c", name="add", arguments={}, capability_id=name)

    with pytest.raises(msgspec.DecodeError):
        check_result(ReasonResult(tool_calls=(call,)))


@pytest.mark.parametrize("strange", [{"limit_s": -1}, {"expires_s": 2**40}], ids=str)
def test_a_call_or_an_appeal_has_a_time_that_there_is(strange: dict[str, int]) -> None:
    call = msgspec.structs.replace(ToolCall(id="c", name="add", arguments={}), **strange)

    with pytest.raises(msgspec.DecodeError):
        check_result(ReasonResult(tool_calls=(call,)))


@pytest.mark.parametrize("delay_ms", [-1, WAIT_MS_MAX + 1])
def test_nothing_waits_for_less_than_nothing_or_for_ever(delay_ms: int) -> None:
    with pytest.raises(msgspec.DecodeError):
        check_steps((), (Wait(step="1", name="sleep", kind="sleep", delay_ms=delay_ms),))


@pytest.mark.parametrize(
    ("after", "places"),
    [("a\0b", ()), ("x" * 1000, ()), ("", ("\0",)), ("", ("1",) * 5000)],
    ids=["nul", "long", "place", "many"],
)
def test_places_that_nothing_has_are_not_looked_for(after: str, places: tuple[str, ...]) -> None:
    held = Held(UUID(int=1), 1)

    check_wanted(HistoryWanted(held=held, after="a1~1/2", places=("3", "4/1")))
    with pytest.raises(msgspec.DecodeError):
        check_wanted(HistoryWanted(held=held, after=after, places=places))


EMIT = Emit(held=Held(UUID(int=1), 1), counter=1)


@pytest.mark.parametrize(
    ("fits", "too_much"),
    [
        (
            FromWorker(emits=(EMIT,) * FRAME_PARTS_MAX),
            FromWorker(emits=(EMIT,) * (FRAME_PARTS_MAX + 1)),
        ),
        (
            FromWorker(beat=Beat(held=(EMIT.held,) * WORKER_SLOTS_MAX)),
            FromWorker(beat=Beat(held=(EMIT.held,) * (WORKER_SLOTS_MAX + 1))),
        ),
    ],
    ids=["events", "names"],
)
def test_a_frame_says_no_more_than_a_worker_can_have(
    fits: FromWorker, too_much: FromWorker
) -> None:
    check_frame(fits)
    with pytest.raises(msgspec.ValidationError, match="a frame with"):
        check_frame(too_much)


ATTACH = Attach(
    incarnation=UUID(int=1),
    attach_number=1,
    name="w",
    build="",
    queues=("default",),
    capabilities=("",),
    slots=8,
)


@pytest.mark.parametrize(
    "strange",
    [
        {"name": "a\0b"},
        {"build": "x" * 1000},
        {"queues": ("default", "\0")},
        {"capabilities": ("", "task:\0")},
        {"slots": -1},
        {"slots": 2**31},
        {"attach_number": 2**63},
        {"attach_number": -1},
    ],
    ids=str,
)
def test_no_worker_presents_itself_so(strange: dict[str, object]) -> None:
    check_attach(ATTACH)
    with pytest.raises(msgspec.DecodeError):
        check_attach(msgspec.structs.replace(ATTACH, **strange))
