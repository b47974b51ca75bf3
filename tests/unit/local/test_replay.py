"""How a replay reads on a terminal."""

import io

import httpx
import pytest

from mainspring_local import replay
from mainspring_local.console import Console
from mainspring_local.errors import StartProblem
from mainspring_local.replay import Call, counted, lines

SAME = Call(sequence=7, status="matches", turn_id="turn_1", recorded_hash="aa", rebuilt_hash="aa")
OTHER = Call(sequence=9, status="differs", turn_id="turn_2", recorded_hash="bb", rebuilt_hash="cc")
OLD = Call(sequence=5, status="unknown", turn_id="turn_0")


def test_only_what_does_not_match_is_told_with_both_hashes() -> None:
    told = lines([OLD, SAME, OTHER])

    assert [line.split() for line in told[1:]] == [
        ["turn_0", "5", "unknown", "-", "-"],
        ["turn_2", "9", "differs", "bb", "cc"],
    ]
    assert counted([OLD, SAME, OTHER]) == "model calls: 1 matches, 1 differs, 1 unknown"


def test_a_session_that_matches_says_so_in_one_line() -> None:
    assert lines([SAME]) == []
    assert counted([SAME]) == "model calls: 1 matches, 0 differs, 0 unknown"


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """An API that knows one session."""
    calls = [
        {"sequence": one.sequence, "status": one.status, "turn_id": one.turn_id}
        for one in (OLD, SAME, OTHER)
    ]
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"calls": calls}))

    class Inside(httpx.AsyncClient):
        def __init__(self, **options: object) -> None:
            super().__init__(transport=transport, base_url=str(options["base_url"]))

    monkeypatch.setattr(httpx, "AsyncClient", Inside)


async def shown(turn: str) -> bool:
    console = Console(io.StringIO())
    return await replay.show("http://api.test", "session_1", console, turn=turn, org="")


@pytest.mark.usefixtures("answered")
async def test_a_difference_is_no_success() -> None:
    assert [await shown(turn) for turn in ("", "turn_2")] == [False, False]


@pytest.mark.usefixtures("answered")
async def test_what_cannot_be_rebuilt_is_no_difference_and_a_turn_is_looked_at_alone() -> None:
    assert [await shown(turn) for turn in ("turn_0", "turn_1")] == [True, True]


@pytest.mark.usefixtures("answered")
async def test_a_turn_that_is_not_there_is_said() -> None:
    with pytest.raises(StartProblem, match="turn_9"):
        await shown("turn_9")
