"""YAML that people write: JSON's types, and nothing that takes long to read."""

import pytest

from mainspring_harness.plain_yaml import DEPTH_MAX, EVENTS_MAX, NotPlain, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-3.5e3", -3500.0),
        ("0", 0),
        ("yes", True),
        ("null", None),
        ("2026-01-01", "2026-01-01"),
        ("1:30", "1:30"),
        ("0x1F", "0x1F"),
        ("012", "012"),
        ("'12'", "12"),
        ("{a: [1, b]}", {"a": [1, "b"]}),
    ],
)
def test_values_are_those_of_json(text: str, value: object) -> None:
    assert read_yaml(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x]\nb: *a",
        "a: !!python/object:os.system x",
        "a: 1\n---\nb: 2",
        "? [a]\n: b",
        "9" * 5000,
        "a: \0",
        "a: \ud800",
    ],
)
def test_what_is_not_plain_is_refused(text: str) -> None:
    with pytest.raises(NotPlain):
        read_yaml(text)


@pytest.mark.parametrize(
    "text",
    [
        "[" * (DEPTH_MAX + 1) + "]" * (DEPTH_MAX + 1),
        "z: " + "[" * 100_000,
        f"[{'1,' * EVENTS_MAX}]",
        "- " * 100_000,
    ],
)
def test_what_is_deep_or_long_is_refused_before_it_is_built(text: str) -> None:
    with pytest.raises(NotPlain):
        read_yaml(text)


def test_a_number_in_sixties_is_a_text() -> None:
    text = "1" + ":59" * 60_000  # as a number it takes seconds to read, and more to write

    assert read_yaml(text) == text
