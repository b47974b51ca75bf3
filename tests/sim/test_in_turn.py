"""Calls of one concurrency class, cut at each place: none begins before those before it ended."""

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.sim.crash_points import Played, play
from tests.sim.joins import IN_TURN

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
Playing = Callable[[str, int], Played]


@pytest.fixture(scope="module")
def playing() -> Iterator[Playing]:
    """In a process of its own: what a crash leaves behind would be found in somebody's test."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        yield lambda kind, place: pool.submit(play, kind, place, IN_TURN).result()


@pytest.mark.parametrize("kind", ["worker", "engine"])
def test_one_follows_the_other_wherever_it_is_cut(playing: Playing, kind: str) -> None:
    calm = playing("", 0)
    assert calm.places > 5
    for place in range(calm.places + 1):
        cut = playing(kind, place)

        where = f"{kind} at place {place} of {calm.places}"
        assert cut.problems == (), where
        assert cut.answers == calm.answers, where
        assert set(cut.results.values()) == {"success"}, where
        lists = [(type_, id_[-1]) for type_, id_ in cut.calls if id_[-1] in "02"]
        assert lists == [
            ("tool.started", "0"),
            ("tool.completed", "0"),
            ("tool.started", "2"),
            ("tool.completed", "2"),
        ], where
