"""What is kept of what an exception says."""

import pytest
from typing_extensions import override

from mainspring.saying import MESSAGE_CHARS_MAX, said


class Mute(Exception):
    @override
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (ValueError("no such order"), "no such order"),
        (ValueError(), "ValueError"),
        (ValueError("x" * 8_000_000), "x" * MESSAGE_CHARS_MAX),
        (FileNotFoundError("x\udce9"), "x?"),
        (Mute(), "Mute"),
    ],
    ids=["plain", "nothing", "long", "surrogate", "mute"],
)
def test_any_message_can_be_kept(error: Exception, kept: str) -> None:
    assert said(error) == kept
