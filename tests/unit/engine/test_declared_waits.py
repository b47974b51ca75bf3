"""Declared workflows that wait for a time or a signal between their steps."""

import msgspec
import pytest

from mainspring import do, do_sleep, do_wait_for_signal, parallel, step, workflow
from mainspring.definitions import Workflow
from mainspring_engine.domain.rows import Outcome
from mainspring_engine.domain.workflow.state import Phase
from mainspring_kernel.declaration_limits import WAIT_MS_MAX
from mainspring_kernel.errors import Conflict
from mainspring_schema.declarations import (
    Declaration,
    DeclaredStep,
    DeclaredWait,
    ListOf,
    OfStep,
    read,
)
from tests.unit.engine.declared_desk import DeclaredDesk


@step
async def pack(order: int) -> str:
    return f"{order} packed"


@step
async def send(parcel: str, who: str) -> str:
    return f"{parcel} for {who}"


@workflow(driver="machine")
def approval(order: int) -> str:
    parcel = do(pack, order)
    do_sleep(60)
    who = do_wait_for_signal("approve", timeout_s=3600, type=str)
    return do(send, parcel, who)


@workflow(driver="machine")
def waits_last(order: int) -> object:
    do(pack, order)
    return do_wait_for_signal("approve")


@workflow(driver="machine")
def waits_first(order: int) -> str:
    del order
    return do(pack, do_wait_for_signal("approve", type=int))


@workflow(driver="machine")
def beside(order: int) -> list[object]:
    with parallel():
        one = do(pack, order)
        two = do_wait_for_signal("approve", timeout_s=60)
    return [one, two]


def desk_of(flow: "Workflow[..., object]") -> DeclaredDesk:
    assert flow.drawn is not None
    return DeclaredDesk(flow.drawn.declaration)


def test_a_sleep_and_a_signal_stand_between_steps_and_hold_no_task() -> None:
    desk = desk_of(approval)

    desk.ends("1", b'"1 packed"')
    assert (desk.tasks, desk.state.phase, [*desk.waits]) == ({}, Phase.WAITING, ["2"])
    assert desk.waits["2"].wait.delay_ms == 60_000

    desk.due("2")
    assert [row.wait.name for row in desk.waits.values()] == ["approve"]

    desk.signal("approve", b'"Ada"')
    assert desk.given["4"] == ["1 packed", "Ada"]
    assert (desk.waits, desk.state.phase) == ({}, Phase.RUNNING)

    desk.ends("4", b'"sent"')
    assert (desk.outcome, desk.events[-1][1]["result"]) == (Outcome.COMPLETED, "sent")


def test_a_signal_that_came_early_is_taken_when_its_step_begins() -> None:
    desk = desk_of(waits_last)

    desk.signal("approve", b"7")
    assert (desk.state.signals, desk.outcome) == (1, Outcome.RUNNING)

    desk.ends("1")
    assert (desk.outcome, desk.events[-1][1]["result"]) == (Outcome.COMPLETED, 7)
    assert desk.signals == {}


def test_a_signal_that_comes_with_the_declaration_is_taken() -> None:
    assert waits_first.drawn is not None
    desk = DeclaredDesk(None)

    desk.do_all(desk.declared(waits_first.drawn.declaration), desk.signalled("approve", b"7"))

    assert desk.given["2"] == [7]


def test_one_that_ends_with_a_wait_has_its_result() -> None:
    desk = desk_of(waits_last)
    desk.ends("1")

    desk.signal("approve", b"7")

    assert (desk.outcome, desk.events[-1][1]["result"]) == (Outcome.COMPLETED, 7)
    assert "workflow" in desk.memory.bodies


def test_a_signal_that_does_not_come_in_time_ends_the_workflow_and_its_tasks() -> None:
    desk = desk_of(beside)
    assert ([*desk.tasks], [*desk.waits], desk.state.phase) == (["1"], ["2"], Phase.RUNNING)

    desk.due("2")

    assert (desk.outcome, desk.tasks, desk.waits) == (Outcome.FAILED, {}, {})
    assert desk.state.problem.startswith("timeout: step 2")


def test_steps_go_on_beside_one_that_waits() -> None:
    desk = desk_of(beside)

    desk.ends("1", b'"p"')
    assert desk.state.phase is Phase.WAITING
    desk.signal("approve", b"1")

    assert desk.events[-1][1]["result"] == ["p", 1]


def test_a_cancel_ends_what_it_waits_for() -> None:
    desk = desk_of(beside)

    desk.cancel()

    assert (desk.outcome, desk.waits, desk.state.waits) == (Outcome.CANCELLED, {}, 0)


def test_a_value_that_does_not_fit_after_a_wait_ends_it_and_its_tasks() -> None:
    @workflow(driver="machine")
    def it(order: int) -> object:
        with parallel():
            do(pack, order)
            who: dict[str, str] = do_wait_for_signal("approve", type=dict[str, str])
            return do(send, "p", who["name"])

    desk = desk_of(it)

    desk.signal("approve", b"7")

    assert (desk.outcome, desk.tasks) == (Outcome.FAILED, {})
    assert desk.state.problem.startswith("unfit_value: step 3")


def test_a_signal_that_no_step_waits_for_is_refused() -> None:
    with pytest.raises(Conflict):
        desk_of(approval).signal("other")


@pytest.mark.parametrize(
    "flawed",
    [
        DeclaredStep(step="s", arguments=ListOf(items=()), wait=DeclaredWait(kind="sleep")),
        DeclaredStep(
            step="s",
            arguments=ListOf(items=()),
            wait=DeclaredWait(kind="sleep", delay_ms=WAIT_MS_MAX + 1),
        ),
        DeclaredStep(
            step="s", arguments=ListOf(items=()), queue="q", wait=DeclaredWait(kind="signal")
        ),
    ],
    ids=["no length", "too long", "a queue"],
)
def test_a_wait_that_cannot_be_is_refused(flawed: DeclaredStep) -> None:
    raw = msgspec.json.encode(Declaration(steps=(flawed,), result=OfStep(step=1)))

    with pytest.raises(ValueError, match="step 1"):
        read(raw)
