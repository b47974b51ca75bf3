import pytest

from mainspring_messaging.subjects import is_pattern, is_valid, matches


@pytest.mark.parametrize(
    ("pattern", "subject", "expected"),
    [
        ("a.b", "a.b", True),
        ("a.b", "a.c", False),
        ("a.b", "a.b.c", False),
        ("a.*", "a.b", True),
        ("a.*", "a", False),
        ("a.*", "a.b.c", False),
        ("*.b.*", "a.b.c", True),
        ("a.>", "a.b", True),
        ("a.>", "a.b.c.d", True),
        ("a.>", "a", False),
        (">", "a", True),
    ],
)
def test_wildcards_match_as_in_nats(pattern: str, subject: str, *, expected: bool) -> None:
    assert matches(pattern, subject) is expected


@pytest.mark.parametrize("subject", ["", "a..b", ".a", "a.", "a b", "a.\n", "a.>.b"])
def test_what_nats_refuses_is_no_subject(subject: str) -> None:
    assert not is_valid(subject, pattern=True)


def test_nobody_publishes_to_a_pattern() -> None:
    assert is_valid("a.*", pattern=True)
    assert not is_valid("a.*", pattern=False)
    assert is_valid("a.b*", pattern=False)
    assert is_pattern("a.>")
    assert not is_pattern("a.b>")
