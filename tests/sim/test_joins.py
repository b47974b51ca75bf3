"""A call that waits for a child is cut at each place: both end once, and a cancel reaches both.

So is one that leaves its child behind: the child's end wakes its parent once.
"""

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.sim.crash_points import Played, Scene, play
from tests.sim.joins import BACKGROUND, CANCELLED, JOINING

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
Playing = Callable[[str, int, Scene], Played]


@pytest.fixture(scope="module")
def playing() -> Iterator[Playing]:
    """In a process of its own: what a crash leaves behind would be found in somebody's test."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        yield lambda kind, place, scene: pool.submit(play, kind, place, scene).result()


def plain(types: Counter[str]) -> Counter[str]:
    """But for what tells of another attempt."""
    return Counter({name: count for name, count in types.items() if name != "reason.recovered"})


@pytest.fixture(scope="module")
def calm(playing: Playing) -> Played:
    return playing("", 0, JOINING)


def test_a_calm_parent_pays_two_model_calls_and_its_child_one(calm: Played) -> None:
    assert (calm.problems, calm.models, calm.results) == ((), 3, {"spawn_agent": "success"})
    assert (calm.types["turn.completed"], calm.below["turn.completed"]) == (1, 1)
    assert calm.places > 10


@pytest.mark.parametrize("kind", ["worker", "engine"])
def test_a_join_cut_anywhere_ends_as_the_calm_one(
    playing: Playing, calm: Played, kind: str
) -> None:
    for place in range(1, calm.places + 1):
        cut = playing(kind, place, JOINING)

        where = f"{kind} at place {place} of {calm.places}"
        assert cut.problems == (), where
        assert cut.answers == calm.answers, where
        assert cut.results == calm.results, where
        assert (plain(cut.types), plain(cut.below)) == (calm.types, calm.below), where
        # What a worker had begun when it ended is paid again; nothing that was committed is.
        assert cut.models <= calm.models + 1, where


@pytest.mark.parametrize("kind", ["", "engine"])
def test_a_cancel_anywhere_leaves_no_child_at_work(
    playing: Playing, calm: Played, kind: str
) -> None:
    stopped = 0
    for place in range(1, calm.places + 1):
        cut = playing(kind, place, CANCELLED)

        where = f"{kind or 'a cancel'} at place {place} of {calm.places}"
        ended = [cut.below[f"turn.{how}"] for how in ("completed", "cancelled")]
        assert cut.problems == (), where
        assert sum(ended) == cut.below["turn.started"], where
        stopped += cut.below["turn.cancelled"]

    # Where engines are away for a while the child may well have ended by itself.
    assert stopped or kind


@pytest.mark.parametrize("kind", ["worker", "engine"])
def test_a_background_call_cut_anywhere_is_made_and_wakes_its_session_once(
    playing: Playing, kind: str
) -> None:
    places = playing("", 0, BACKGROUND).places
    for place in range(1, places + 1):
        cut = playing(kind, place, BACKGROUND)

        where = f"{kind} at place {place} of {places}"
        assert cut.problems == (), where
        assert (cut.types["input.message"], cut.types["turn.completed"]) == (2, 2), where
        assert (cut.below["tool.completed"], cut.below["turn.completed"]) == (1, 1), where
