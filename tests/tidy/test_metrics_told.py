"""Every metric stands in the operators' table as it is, and nothing else does."""

import re

from mainspring_runtime import names
from mainspring_runtime.names import Instrument
from tests.tidy import tree

ROW = re.compile(
    r"^\| `([a-z0-9_.]+)` \| (counter|gauge|histogram) \| `([^`]+)` \| (.+) \|$", re.MULTILINE
)
Told = tuple[str, str, str, str]


def told(text: str) -> list[Told]:
    return [(name, kind, unit, meaning) for name, kind, unit, meaning in ROW.findall(text)]


def true() -> list[Told]:
    made = [each for each in vars(names).values() if isinstance(each, Instrument)]
    return [(each.g2, each.kind.value, each.unit, each.purpose) for each in made if each.g2]


def test_operators_are_told_every_metric_and_no_other() -> None:
    found = told(tree.text("docs/operations.md"))

    assert sorted(found) == sorted(true())
    assert len(set(found)) == len(found)


def test_a_metric_that_is_not_told_or_told_wrong_is_found() -> None:
    text = tree.text("docs/operations.md")

    for wrong in (
        text.replace("| `mainspring.loop.lag` | histogram", "| `mainspring.loop.lag` | gauge"),
        text.replace("`mainspring.claim.tasks`", "`mainspring.claims.tasks`"),
    ):
        assert sorted(told(wrong)) != sorted(true())


def test_what_a_process_keeps_is_all_there_is_but_for_what_is_recorded() -> None:
    first = names.PROCESS_UPTIME
    made = [each for each in vars(names).values() if isinstance(each, Instrument)]

    assert set(names.KEPT) == set(made[made.index(first) :])
