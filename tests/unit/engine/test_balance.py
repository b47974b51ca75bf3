"""How many streams leave an engine that has more than its share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring_engine.domain.balance import moving, surplus

COUNTS = st.integers(min_value=0, max_value=5_000)


@pytest.mark.parametrize(
    ("mine", "others", "expected"),
    [
        (10, (), 0),
        (0, (5,), 0),
        (3, (0,), 1),
        (1, (0,), 0),
        (2, (1,), 0),
        (40, (0,), 20),
        (40, (0, 20), 20),
        (52, (48,), 0),
        (60, (40,), 10),
    ],
)
def test_what_is_above_an_equal_share_is_too_many(
    mine: int, others: tuple[int, ...], expected: int
) -> None:
    assert surplus(mine, others) == expected


def test_nothing_moves_for_what_only_one_look_saw() -> None:
    assert moving(20, 0, 40) == 0


def test_a_quarter_moves_at_once_and_one_at_least() -> None:
    assert moving(20, 20, 40) == 10
    assert moving(1, 1, 3) == 1


@given(st.lists(COUNTS, min_size=2, max_size=5))
def test_engines_come_to_equal_shares_and_rest(held: list[int]) -> None:
    for _ in range(200):
        first = max(range(len(held)), key=held.__getitem__)
        over = surplus(held[first], (*held[:first], *held[first + 1 :]))
        gone = moving(over, over, held[first])
        held[first] -= gone
        held[min(range(len(held)), key=held.__getitem__)] += gone

    share = -(-sum(held) // len(held))
    assert max(held) <= share + share // 8
