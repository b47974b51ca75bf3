"""Forks of declared workflows: what they keep, what they do anew, and what does not fit."""

from uuid import UUID

import pytest

from mainspring import child, do, do_child, do_sleep, parallel, step, workflow
from mainspring.definitions import Workflow
from mainspring_engine.domain.changes import CopySteps
from mainspring_engine.domain.rows import Outcome
from mainspring_engine.domain.workflow.forking import kept
from mainspring_engine.domain.workflow.grounds import bits
from mainspring_engine.domain.workflow.state import Course
from mainspring_kernel.errors import Conflict
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_schema.declarations import hash_of, version_of
from mainspring_schema.workflows import Fork, start_hash_of
from tests.unit.engine.declared_desk import DeclaredDesk


@step
async def price(order: int) -> int:
    return order


@step
async def pack(order: int) -> str:
    return f"{order}"


@step
async def send(parcel: str, cents: int) -> str:
    return f"{parcel} for {cents}"


@workflow(driver="machine")
def order(number: int, extra: int = 7) -> str:
    with parallel():
        cents = do(price, number)
        parcel = do(pack, extra)
    return do(send, parcel, cents)


@pytest.fixture
def source() -> DeclaredDesk:
    """Two steps have finished, and the third failed."""
    desk = DeclaredDesk(declared(order))
    desk.ends("1", b"99")
    desk.ends("2", b'"parcel"')
    desk.fails("3")
    return desk


def declared(flow: "Workflow[..., object]") -> bytes:
    assert flow.drawn is not None
    return flow.drawn.declaration


def forked(
    source: DeclaredDesk, onto: "Workflow[..., object]" = order, *, before: int | None = None
) -> DeclaredDesk:
    fork = Fork(
        source_id=source.id,
        before=None if before is None else str(before),
        declaration=source.course.declaration,
        kept=kept(source.course, before),
    )
    return DeclaredDesk(declared(onto), fork=(source, fork))


def test_what_had_finished_is_kept_and_what_failed_is_done_anew(source: DeclaredDesk) -> None:
    fork = forked(source)

    assert fork.given == {"3": ["parcel", 99]}
    start = fork.events[0][1]
    assert start["forked_from"] == {
        "workflow_id": to_wire(Prefix.WORKFLOW, source.id), "step": None,
    }  # fmt: skip
    assert fork.copied == CopySteps(source_id=source.id, bound="", places=("1", "2"))
    fork.ends("3", b'"sent"')
    assert (fork.outcome, fork.events[-1][1]["result"]) == (Outcome.COMPLETED, "sent")


def test_from_a_step_on_all_is_done_anew(source: DeclaredDesk) -> None:
    fork = forked(source, before=2)

    assert fork.given == {"2": [7]}
    assert fork.copied == CopySteps(source_id=source.id, bound="2", places=("1",))


def test_what_stands_before_the_step_and_never_finished_is_done_too() -> None:
    desk = DeclaredDesk(declared(order))
    desk.ends("2", b'"parcel"')

    fork = forked(desk, before=3)

    assert (fork.given, fork.copied) == (
        {"1": [1]}, CopySteps(source_id=desk.id, bound="3", places=("2",)),
    )  # fmt: skip


def test_a_fork_of_what_is_done_ends_at_once(source: DeclaredDesk) -> None:
    @workflow(driver="machine")
    def shorter(number: int, extra: int = 7) -> list[object]:
        with parallel():
            return [do(price, number), do(pack, extra)]

    fork = forked(source, shorter)

    assert (fork.outcome, fork.tasks) == (Outcome.COMPLETED, {})
    assert fork.events[-1][1]["result"] == [99, "parcel"]


def test_a_fork_goes_on_with_another_version(source: DeclaredDesk) -> None:
    @workflow(driver="machine")
    def careful(number: int, extra: int = 7) -> str:
        with parallel():
            cents = do(price, number)
            parcel = do(pack, extra)
        checked = do(price, cents)
        return do(send, parcel, checked)

    fork = forked(source, careful)

    assert fork.events[0][1]["version"] == version_of(hash_of(declared(careful)))
    assert fork.given == {"3": [99]}


@workflow(driver="machine")
def other_step(number: int) -> str:
    parcel = do(pack, number)
    return do(send, parcel, 1)


@workflow(driver="machine")
def other_arguments(number: int, extra: int = 7) -> str:
    do(price, number)
    return do(pack, number)


@workflow(driver="machine")
def other_default(number: int, extra: int = 8) -> str:
    do(price, number)
    return do(pack, extra)


@workflow(driver="machine")
def fewer(number: int) -> int:
    return do(price, number)


@workflow(driver="machine")
def waits(number: int) -> None:
    do_sleep(60)
    do(price, number)


@workflow(driver="machine")
def of_a_child(number: int) -> object:
    return do_child(child(order, queue="slow", timeout_s=5), number)


@pytest.mark.parametrize(
    ("onto", "told"),
    [
        (other_step, "at step 1 step price is recorded, step pack found"),
        (other_arguments, "at step 2 step pack is recorded, one with other arguments found"),
        (other_default, "at step 2 step pack is recorded, one with other arguments found"),
        (fewer, "at step 2 step pack is recorded, no step found"),
        (waits, "at step 1 step price is recorded, sleep sleep of 60000 ms found"),
        (of_a_child, "step price is recorded, child order on queue slow of 5000 ms found"),
    ],
    ids=lambda it: it.name if isinstance(it, Workflow) else "",
)
def test_what_differs_is_named_and_nothing_begins(
    source: DeclaredDesk, onto: "Workflow[..., object]", told: str
) -> None:
    with pytest.raises(Conflict, match=told):
        forked(source, onto)


def test_a_step_that_now_waits_for_one_that_is_not_kept_differs() -> None:
    @workflow(driver="machine")
    def one_after_the_other(number: int, extra: int = 7) -> str:
        cents = do(price, number)
        parcel = do(pack, extra)
        return do(send, parcel, cents)

    desk = DeclaredDesk(declared(order))
    desk.ends("2", b'"parcel"')

    with pytest.raises(Conflict, match="step pack after a step that is not kept"):
        forked(desk, one_after_the_other)


@pytest.mark.parametrize(
    ("before", "numbers"), [(None, (1, 3)), (1, ()), (3, (1,)), (4, (1, 3)), (200, (1, 3))]
)
def test_kept_is_what_has_finished_before_the_step(
    before: int | None, numbers: tuple[int, ...]
) -> None:
    assert kept(Course(declaration=b"", done=bits(0b101)), before) == numbers


def test_the_same_fork_onto_another_declaration_is_another_start() -> None:
    fork = Fork(source_id=UUID(int=1), before="2")

    def compared_by(onto: bytes | None) -> bytes:
        return start_hash_of("order", "default", b"[1]", fork, onto)

    assert len({compared_by(onto) for onto in (None, b"{}", b'{"steps":[]}')}) == 3
    assert compared_by(b"{}") == compared_by(b"{}")
