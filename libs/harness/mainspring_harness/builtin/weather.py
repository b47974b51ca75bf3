"""Made-up weather for tests: the same place always has the same weather."""

from mainspring_harness.capability import Capability, Info, PromptContext
from mainspring_schema.agents import ToolDefinition, ToolHints
from mainspring_schema.messages import Json

FORECAST_DAYS_MAX = 7


def _reading(name: str, description: str, more: Json) -> ToolDefinition:
    units: Json = {
        "type": "string",
        "enum": ["celsius", "fahrenheit"],
        "description": "Unit of temperatures. Default: celsius.",
    }
    location: Json = {"type": "string", "minLength": 1, "description": "A city or place."}
    return ToolDefinition(
        name=name,
        display_name=name.replace("_", " ").title(),
        description=description,
        category="testing",
        parameters={
            "type": "object",
            "properties": {"location": location, "units": units, **more},
            "required": ["location"],
            "additionalProperties": False,
        },
        hints=ToolHints(
            readonly=True,
            idempotent=True,
            capability_id="test_weather",
            capability_name="Test Weather",
        ),
        policy="auto",
        effect_class="pure",
    )


def _prompt(_config: Json, _context: PromptContext) -> str | None:
    return "The weather tools return simulated data."


def _tools(_config: Json) -> tuple[ToolDefinition, ...]:
    days: Json = {
        "type": "integer",
        "minimum": 1,
        "maximum": FORECAST_DAYS_MAX,
        "description": "How many days, today included. Default: 3.",
    }
    return (
        _reading("get_weather", "Returns the weather at a place now.", {}),
        _reading("get_forecast", "Returns the weather of the next days.", {"days": days}),
    )


TEST_WEATHER = Capability(
    info=Info(
        id="test_weather",
        name="Test Weather",
        description="Simulated weather and forecasts, the same for every call; for tests.",
        status="available",
        category="testing",
        icon="cloud-sun",
    ),
    prompt=_prompt,
    tools=_tools,
)
