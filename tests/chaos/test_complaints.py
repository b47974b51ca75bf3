"""What a log may say while things break."""

from datetime import datetime

import pytest

from tests.chaos.fleet import is_late

AT = "2026-11-27T06:46:09.512614Z"
LINE = f'{{"level":"ERROR","message":"engine did not drain within 20 s","ts":"{AT}"}}'


@pytest.mark.parametrize(
    ("line", "thawed_before_s", "explained"),
    [
        (LINE, 0.1, True),
        (LINE, 19.0, True),
        (LINE, 21.0, False),
        (LINE, -1.0, False),
        (LINE.replace("did not drain within 20 s", "a flight failed"), 0.1, False),
    ],
)
def test_who_was_frozen_while_it_drained_may_be_late(
    line: str, thawed_before_s: float, *, explained: bool
) -> None:
    thaw = datetime.fromisoformat(AT).timestamp() - thawed_before_s

    assert is_late(line, [thaw]) is explained
    assert not is_late(line, [])
