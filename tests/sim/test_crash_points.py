"""A turn is cut at each place of its history: it ends as the calm one, as each class promises."""

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.sim.crash_points import Played, play
from tests.sim.tools import CLASSES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
Playing = Callable[[str, int], Played]


@pytest.fixture(scope="module")
def playing() -> Iterator[Playing]:
    """In a process of its own: what a crash leaves behind would be found in somebody's test."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        yield lambda kind, place: pool.submit(play, kind, place).result()


@pytest.fixture(scope="module")
def calm(playing: Playing) -> Played:
    return playing("", 0)


def assert_promised(calm: Played, cut: Played, where: str) -> None:
    assert cut.problems == (), where
    assert cut.types["turn.completed"] == 1, where
    assert cut.answers == calm.answers, where
    for what in ("input.message", "llm.generation", "tool.started", "tool.completed"):
        assert cut.types[what] == calm.types[what], (where, what)
    for tool, class_ in CLASSES.items():
        (times,) = cut.applied[tool].values() or (0,)
        status = cut.results[tool]
        if class_ in ("pure", "idempotent"):
            assert (status, 1 <= times <= 2) == ("success", True), (where, tool, times)
        else:
            assert times <= 1, (where, tool)
            assert times == 1 or status != "success", (where, tool)


def test_the_calm_turn_pays_two_model_calls_and_acts_once(calm: Played) -> None:
    assert_promised(calm, calm, "calm")
    assert calm.models == 2
    assert set(calm.results.values()) == {"success"}
    assert all(list(times.values()) == [1] for times in calm.applied.values())
    assert calm.places > 10


@pytest.mark.parametrize("kind", ["worker", "engine"])
def test_a_turn_cut_anywhere_ends_as_the_calm_one(
    playing: Playing, calm: Played, kind: str
) -> None:
    for place in range(1, calm.places + 1):
        cut = playing(kind, place)

        where = f"{kind} at place {place} of {calm.places}"
        assert_promised(calm, cut, where)
        # What a worker had begun when it ended is paid again; nothing that was committed is.
        assert cut.models <= calm.models + 1, where
