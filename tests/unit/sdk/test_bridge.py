"""What a worker asks of a workflow's record."""

from typing import cast

from mainspring.bridge import recorded_at
from mainspring_kernel.limits import WORKFLOW_WAITS_MAX
from mainspring_schema.frames import Held, History
from mainspring_schema.workflows import StepRecord
from mainspring_workstream.attempt import Attempt
from tests.unit.worker.making import held


class Asked:
    """An attempt whose engine answers so many steps at once."""

    def __init__(self, *recorded: str, page: int = 100, knows_places: bool = True) -> None:
        self.recorded_ = recorded
        self.page = page
        self.knows_places = knows_places
        self.questions: list[tuple[str, ...]] = []
        self.held: Held = held()

    async def recorded(self, after: str = "", places: tuple[str, ...] = ()) -> History:
        self.questions.append(places)
        found = [place for place in self.recorded_ if place in places]
        steps = tuple(StepRecord(step=place, name="a") for place in found[: self.page])
        return History(
            held=self.held, steps=steps, after=after, more=len(found) > self.page,
            at_places=self.knows_places,
        )  # fmt: skip

    async def at(self, *places: str) -> "list[str] | None":
        found = await recorded_at(cast("Attempt", cast("object", self)), places)
        return None if found is None else list(found)


async def test_what_is_recorded_at_some_places_is_asked_for_at_once() -> None:
    attempt = Asked("1", "2", "3")

    assert await attempt.at("2", "3", "4") == ["2", "3"]
    assert attempt.questions == [("2", "3", "4")]


async def test_a_full_answer_is_asked_on() -> None:
    attempt = Asked("1", "2", "3", page=1)

    assert await attempt.at("3", "1", "2") == ["1", "2", "3"]
    assert attempt.questions == [("3", "1", "2"), ("3", "2"), ("3",)]


async def test_more_places_than_a_question_holds_are_several() -> None:
    places = tuple(str(n) for n in range(1, WORKFLOW_WAITS_MAX + 2))
    attempt = Asked(places[0], places[-1])

    assert await attempt.at(*places) == [places[0], places[-1]]
    assert len(attempt.questions) == 2


async def test_an_engine_that_knows_no_places_tells_nothing_here() -> None:
    assert await Asked("1", knows_places=False).at("1") is None
