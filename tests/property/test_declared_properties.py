"""Declared workflows of any shape, carried out in any order."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from mainspring_engine.domain.limits import DECLARATION_OPEN_MAX
from mainspring_engine.domain.rows import Outcome
from mainspring_schema.codec import to_json
from mainspring_schema.declarations import (
    Declaration,
    DeclaredStep,
    Expression,
    ListOf,
    OfInput,
    OfStep,
    Parameter,
    Value,
    ancestors_of,
)
from mainspring_schema.tasks import PlainResult
from tests.unit.engine.declared_desk import DeclaredDesk

STEPS_MAX = 12


@st.composite
def declarations(draw: st.DrawFn) -> Declaration:
    """Steps that wait for some before them, and are given results of those they wait for."""
    steps: list[DeclaredStep] = []
    for number in range(1, draw(st.integers(1, STEPS_MAX)) + 1):
        before = range(1, number)
        after = draw(st.sets(st.sampled_from(before), max_size=4)) if number > 1 else set[int]()
        given_: list[Expression] = [OfStep(step=one) for one in sorted(after)]
        given_ += [OfInput(name="n"), Value(value=msgspec.Raw(b"%d" % number))]
        steps.append(
            DeclaredStep(step="s", arguments=ListOf(items=tuple(given_)), after=tuple(after))
        )
    last = ListOf(items=tuple(OfStep(step=number) for number in range(1, len(steps) + 1)))
    return Declaration(parameters=(Parameter(name="n"),), steps=tuple(steps), result=last)


def of_number(number: int) -> int:
    """What a step comes to, whoever does it."""
    return number * 7


@given(declarations(), st.data())
def test_each_step_begins_once_after_those_it_waits_for_and_gets_what_they_came_to(
    declaration: Declaration, data: st.DataObject
) -> None:
    desk = DeclaredDesk(to_json(declaration))
    ancestors, finished = ancestors_of(declaration), 0

    while desk.tasks:
        assert len(desk.tasks) <= DECLARATION_OPEN_MAX
        for place in desk.tasks:
            assert not ancestors[int(place) - 1] & ~finished
        together = data.draw(st.integers(1, min(3, len(desk.tasks))))
        places = data.draw(st.permutations(sorted(desk.tasks)))[:together]
        desk.do_all(
            *(desk.brought(one, PlainResult(result=b"%d" % of_number(int(one)))) for one in places)
        )
        finished |= sum(1 << (int(place) - 1) for place in places)

    numbers = range(1, len(declaration.steps) + 1)
    assert desk.outcome is Outcome.COMPLETED
    assert desk.given == {
        str(number): [*(of_number(one) for one in sorted(step.after)), 1, number]
        for number, step in zip(numbers, declaration.steps, strict=True)
    }
    assert desk.events[-1][1]["result"] == [of_number(number) for number in numbers]


@given(declarations(), st.data())
def test_wherever_it_fails_or_is_cancelled_nothing_of_it_is_left_open(
    declaration: Declaration, data: st.DataObject
) -> None:
    desk = DeclaredDesk(to_json(declaration))

    for _ in range(data.draw(st.integers(0, len(declaration.steps) - 1))):
        desk.ends(data.draw(st.sampled_from(sorted(desk.tasks))), b"1")
    if data.draw(st.booleans()):
        desk.cancel()
    else:
        desk.fails(data.draw(st.sampled_from(sorted(desk.tasks))))

    assert desk.tasks == {}
    assert desk.outcome in (Outcome.CANCELLED, Outcome.FAILED)
    assert (desk.course.open, desk.state.tasks()) == ((), frozenset())
