"""Sums for tests: small, exact, and able to fail (division by zero)."""

from mainspring_harness.capability import Capability, Info, PromptContext
from mainspring_schema.agents import ToolDefinition, ToolHints
from mainspring_schema.messages import Json


def _operation(name: str, description: str) -> ToolDefinition:
    return ToolDefinition(
        name=name,
        display_name=name.capitalize(),
        description=description,
        category="testing",
        parameters={
            "type": "object",
            "properties": {
                "a": {"type": "number", "description": "The first number."},
                "b": {"type": "number", "description": "The second number."},
            },
            "required": ["a", "b"],
            "additionalProperties": False,
        },
        hints=ToolHints(
            readonly=True, idempotent=True, capability_id="test_math", capability_name="Test Math"
        ),
        policy="auto",
        effect_class="pure",
    )


def _prompt(_config: Json, _context: PromptContext) -> str | None:
    return "Use the add, subtract, multiply and divide tools for every calculation."


def _tools(_config: Json) -> tuple[ToolDefinition, ...]:
    return (
        _operation("add", "Adds two numbers."),
        _operation("subtract", "Subtracts b from a."),
        _operation("multiply", "Multiplies two numbers."),
        _operation("divide", "Divides a by b; dividing by zero is an error."),
    )


TEST_MATH = Capability(
    info=Info(
        id="test_math",
        name="Test Math",
        description="Adds, subtracts, multiplies and divides two numbers; for tests.",
        status="available",
        category="testing",
        icon="calculator",
    ),
    prompt=_prompt,
    tools=_tools,
)
