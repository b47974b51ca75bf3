"""What a step or a workflow returns, or a signal brings, fits its type, or is told by name."""

import math
from collections.abc import Callable
from typing import Any, cast

import msgspec
import pytest

from mainspring import Retry, StepFailed, step, wait_for_signal, workflow
from mainspring.definitions import Step
from mainspring.plain import attempt_plain
from mainspring.values import Shape
from mainspring_kernel.draws import SeededDraws
from mainspring_schema.workflows import Flaw
from tests.unit.sdk.fake import CALLS, FakeEngine
from tests.unit.sdk.test_going_waits import came

OFTEN = Retry.fixed(0.0, attempts=3)


@pytest.fixture(autouse=True)
def no_calls() -> None:
    CALLS.clear()


@step(retry=OFTEN)
async def mean() -> float:
    CALLS.append("mean")
    return math.nan


@step(retry=OFTEN)
def charge() -> int:
    CALLS.append("charge")
    return cast("int", cast("object", "receipt"))


@step(retry=OFTEN)
async def forgets() -> list[str]:
    CALLS.append("forgets")
    return cast("list[str]", cast("object", None))


@step(retry=OFTEN)
async def strange() -> object:
    CALLS.append("strange")
    return 1j


WRONG: list[tuple[Step[[], object], str]] = [
    (mean, "mean returned float, which does not fit float"),
    (charge, "charge returned str, which does not fit int"),
    (forgets, "forgets returned NoneType, which does not fit list[str]"),
    (
        strange,
        "strange returned what cannot be recorded: it is no JSON: values of the type complex",
    ),
]


@pytest.mark.parametrize(("wrong", "told"), WRONG)
async def test_a_result_that_does_not_fit_fails_its_step_at_once(
    wrong: Step[[], object], told: str
) -> None:
    @workflow
    async def catches() -> Flaw:
        try:
            await wrong()
        except StepFailed as error:
            return error.flaw
        raise AssertionError

    engine = FakeEngine()
    result = await engine.run(catches)

    flaw = msgspec.json.decode(result.result, type=Flaw)
    assert flaw.code == "unserializable"
    assert flaw.message.startswith(told)
    assert engine.records["1"].result == b"null"
    assert [wrong.name] == CALLS


@pytest.mark.parametrize(("wrong", "told"), WRONG)
async def test_a_result_that_does_not_fit_fails_its_task_for_good(
    wrong: Step[[], object], told: str
) -> None:
    result = await attempt_plain(wrong, b"[]", failures=0, draws=SeededDraws(1), processes=None)

    assert result.flaw is not None
    assert (result.flaw.code, result.retry_ms, result.lasting) == ("unserializable", None, True)
    assert result.flaw.message.startswith(told)


def plain() -> object: ...
def loose() -> Any: ...  # noqa: ANN401 - as people write it  # pyright: ignore[reportExplicitAny] -- as people write it
def bare(): ...  # noqa: ANN201 - as people write it


@pytest.mark.parametrize("function", [plain, loose, bare])
def test_any_json_fits_where_nothing_is_said(function: Callable[[], object]) -> None:
    assert Shape[object](function).kept({"a": [1, None]}, "it") == b'{"a":[1,null]}'


async def test_a_signal_that_does_not_fit_is_told_by_its_name() -> None:
    @workflow
    async def waits() -> Flaw:
        try:
            await wait_for_signal("amount", type=int)
        except StepFailed as error:
            return error.flaw
        raise AssertionError

    engine = FakeEngine()
    (wait,) = (await engine.run(waits)).waits
    engine.keep((came(wait, b'"five"'),))
    result = await engine.run(waits)

    flaw = msgspec.json.decode(result.result, type=Flaw)
    assert flaw.code == "invalid_input"
    assert flaw.message.startswith("the signal amount has a payload that does not fit")


async def test_a_workflow_that_returns_what_does_not_fit_fails_and_names_both() -> None:
    """Whoever asks for its result could not read it: its client, or its parent."""

    @workflow
    async def total() -> int:
        return cast("int", cast("object", "12"))

    result = await FakeEngine().run(total)

    assert result.outcome == "failed"
    assert result.flaw is not None
    assert result.flaw.code == "unserializable"
    assert "total returned str, which does not fit int" in result.flaw.message
