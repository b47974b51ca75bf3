import math
from typing import cast
from uuid import UUID

import pytest

from mainspring_harness.arguments import problems
from mainspring_harness.builtin import ask_user, builtin_registry
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.draws import SeededDraws
from mainspring_schema.frames import Held
from mainspring_schema.messages import Json
from mainspring_worker.adapters.builtin_tools.shelf import all_tools
from mainspring_worker.adapters.memory import NoResources
from mainspring_worker.ports.tool import ToolContext, ToolOutcome
from mainspring_worker.usecases.holding import Holdings

NOW_MS = 1_795_341_600_999  # 2026-11-22T10:00:00Z


async def call(capability: str, name: str, **arguments: object) -> ToolOutcome:
    async def progress(_message: str) -> None: ...

    tool = all_tools(builtin_registry()).find(name, capability)
    assert tool is not None
    assert problems(name, tool.definition.parameters, arguments) == ()
    context = ToolContext(
        org_id=UUID(int=1),
        session_id=UUID(int=2),
        turn_id=UUID(int=3),
        call_id="call_1",
        idempotency_key="key",
        deadline_mono=0.0,
        clock=ManualClock(wall_ms=NOW_MS),
        progress=progress,
        resources=Holdings(
            NoResources(), clock=ManualClock(wall_ms=NOW_MS), draws=SeededDraws(1)
        ).of(Held(UUID(int=4), 1), "key"),
    )
    return await tool.call(arguments, context)


def result(outcome: ToolOutcome) -> Json:
    assert (outcome.status, outcome.error) == ("success", None)
    assert isinstance(outcome.result, dict)
    return cast("Json", outcome.result)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "2026-11-22T10:00:00+00:00"),
        ({"format": "iso8601", "timezone": "Europe/Kyiv"}, "2026-11-22T12:00:00+02:00"),
        ({"format": "unix", "timezone": "Asia/Tokyo"}, NOW_MS // 1000),
        ({"format": "human"}, "Sunday, 22 November 2026, 10:00:00 UTC"),
    ],
)
async def test_the_time_is_told_in_zone_and_format(arguments: Json, expected: object) -> None:
    told = result(await call("current_time", "get_current_time", **arguments))

    assert told["current_time"] == expected


@pytest.mark.parametrize("zone", ["Paris", "../../etc/passwd", "a\x00b", "/", "Europe"])
async def test_a_place_that_is_no_zone_is_an_error(zone: str) -> None:
    outcome = await call("current_time", "get_current_time", timezone=zone)

    assert outcome.status == "error"
    assert outcome.error is not None
    assert "unknown time zone" in outcome.error


@pytest.mark.parametrize(
    ("name", "a", "b", "expected"),
    [
        ("add", 1, 2, 3),
        ("add", 0.5, 0.5, 1),
        ("subtract", 1, 2.5, -1.5),
        ("multiply", 10**20, 10**20, 10**40),
        ("divide", 7, 2, 3.5),
        ("divide", 6, 2, 3),
    ],
)
async def test_sums_are_right(name: str, a: float, b: float, expected: float) -> None:
    value = result(await call("test_math", name, a=a, b=b))["result"]

    assert value == expected
    assert isinstance(value, float) == isinstance(expected, float)


@pytest.mark.parametrize(
    ("name", "a", "b", "error"),
    [
        ("divide", 1, 0, "division by zero"),
        ("divide", 1, 0.0, "division by zero"),
        ("multiply", 1e308, 1e308, "the result is too large"),
        ("divide", 10**400, 3, "the result is too large"),
    ],
)
async def test_sums_that_have_no_result_are_errors(
    name: str, a: float, b: float, error: str
) -> None:
    outcome = await call("test_math", name, a=a, b=b)

    assert (outcome.status, outcome.error) == ("error", error)


async def test_the_same_place_has_the_same_weather() -> None:
    here = result(await call("test_weather", "get_weather", location="Paris"))
    again = result(await call("test_weather", "get_weather", location="paris "))
    elsewhere = result(await call("test_weather", "get_weather", location="Oslo"))

    assert {**here, "location": ""} == {**again, "location": ""}
    assert {**here, "location": ""} != {**elsewhere, "location": ""}


async def test_units_are_converted() -> None:
    celsius = result(await call("test_weather", "get_weather", location="Paris"))["temperature"]
    told = result(await call("test_weather", "get_weather", location="Paris", units="fahrenheit"))

    assert isinstance(celsius, int)
    assert isinstance(told["temperature"], int)
    assert math.isclose(told["temperature"], celsius * 9 / 5 + 32, abs_tol=0.5)


@pytest.mark.parametrize(("arguments", "days"), [({}, 3), ({"days": 7}, 7), ({"days": 1}, 1)])
async def test_a_forecast_has_as_many_days_as_asked(arguments: Json, days: int) -> None:
    told = result(await call("test_weather", "get_forecast", location="Rome", **arguments))

    forecast = cast("list[object]", told["forecast"])
    assert len(forecast) == days


def test_every_tool_of_the_catalogue_can_be_carried_out() -> None:
    shelf = all_tools(builtin_registry())

    for entry in builtin_registry().catalogue():
        # People answer a question, no worker does.
        for tool in entry.tool_definitions if entry.info.id != ask_user.ID else ():
            assert shelf.find(tool.name, entry.info.id) is not None


def test_a_tool_without_capability_or_of_another_is_not_found() -> None:
    assert all_tools(builtin_registry()).find("add", None) is None
    assert all_tools(builtin_registry()).find("add", "test_weather") is None
