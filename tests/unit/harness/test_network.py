import pytest

from mainspring_harness.network import combine, covers
from mainspring_schema.agents import NetworkAccess


@pytest.mark.parametrize(
    ("pattern", "other", "expected"),
    [
        ("*", "x.test", True),
        ("*", "*.x.test", True),
        ("x.test", "X.TEST", True),
        ("*.x.test", "a.x.test", True),
        ("*.x.test", "*.a.x.test", True),
        ("*.x.test", "x.test", False),
        ("*.x.test", "ax.test", False),
        ("*.x.test", "*", False),
        ("a.x.test", "*.x.test", False),
    ],
)
def test_a_pattern_covers_what_lies_within_it(pattern: str, other: str, expected: bool) -> None:
    assert covers(pattern, other) is expected


def test_no_rules_are_no_rule() -> None:
    assert combine([None, None]) is None


def test_an_open_list_takes_the_other_side() -> None:
    combined = combine([NetworkAccess(blocked=("b",)), NetworkAccess(allowed=("a",))])

    assert combined == NetworkAccess(allowed=("a",), blocked=("b",))


def test_disjoint_lists_allow_nothing() -> None:
    combined = combine([NetworkAccess(allowed=("a",)), None, NetworkAccess(allowed=("b",))])

    assert combined == NetworkAccess(allowed=())
