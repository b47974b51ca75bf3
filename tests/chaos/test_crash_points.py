"""What a cut turn may come to and what not, over values: the runs themselves are on demand."""

import msgspec
import pytest

from tests.chaos.crash_points import Played, misfits
from tests.chaos.service import CLASSES

CALM = Played(
    types=(
        "input.message", "turn.started", "llm.generation", *["tool.started"] * 4,
        *["tool.completed"] * 4, "llm.generation", "turn.completed",
    ),
    answers=("Let me see.", "Done."),
    results=dict.fromkeys(CLASSES, "success"),
    applied=dict.fromkeys(CLASSES, 1),
    paid={1: 1, 2: 1},
)  # fmt: skip


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"applied": CALM.applied | {"look_around": 2, "set_lamp": 2}},
        {"results": CALM.results | {"send_letter": "unknown", "pay_bill": "unknown"}},
        {
            "results": CALM.results | {"send_letter": "unknown"},
            "applied": {tool: 1 for tool in CLASSES if tool != "send_letter"},
        },
        {"paid": {1: 1, 2: 2}},
    ],
)
def test_a_cut_turn_may_pay_and_do_again_what_its_classes_allow(changed: dict[str, object]) -> None:
    cut = msgspec.structs.replace(CALM, **changed)

    assert list(misfits(CALM, cut, place=4)) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"applied": CALM.applied | {"send_letter": 2}},
        {"applied": CALM.applied | {"pay_bill": 2}},
        {"applied": CALM.applied | {"set_lamp": 0}},
        {"applied": CALM.applied | {"pay_bill": 0}},
        {"results": CALM.results | {"set_lamp": "unknown"}},
        {"results": CALM.results | {"send_letter": "failed"}},
        {"paid": {1: 2, 2: 1}},
        {"paid": {1: 1, 2: 3}},
        {"paid": {1: 1}},
        {"answers": ("Let me see.", "Let me see.", "Done.")},
        {"types": (*CALM.types, "turn.completed")},
        {"types": tuple(type_ for type_ in CALM.types if type_ != "tool.completed")},
    ],
)
def test_anything_else_is_told(changed: dict[str, object]) -> None:
    cut = msgspec.structs.replace(CALM, **changed)

    assert list(misfits(CALM, cut, place=4)) != []
