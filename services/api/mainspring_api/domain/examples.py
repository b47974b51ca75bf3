"""Examples to begin from: agents as their text, harnesses as what they would be."""

from typing import Final

from msgspec import Struct

from mainspring_schema.agents import CapabilityRef


class HarnessExample(Struct, frozen=True, kw_only=True):
    """`dev_only`: it shows how something works and serves nobody."""

    name: str
    display_name: str
    description: str
    dev_only: bool = False
    tags: tuple[str, ...] = ()
    capabilities: tuple[CapabilityRef, ...] = ()
    parent_name: str = "base"


HARNESSES: Final = (
    HarnessExample(
        name="clock",
        display_name="Clock",
        description="Knows the time, and nothing else beyond what its model knows.",
        tags=("time",),
        capabilities=(CapabilityRef(ref="current_time"),),
    ),
    HarnessExample(
        name="tools-demo",
        display_name="Tools at work",
        description="Arithmetic and made-up weather: to watch calls of tools.",
        dev_only=True,
        tags=("demo", "tools"),
        capabilities=(CapabilityRef(ref="test_math"), CapabilityRef(ref="test_weather")),
    ),
)

AGENTS: Final[dict[str, str]] = {
    "dad-jokes": """\
---
name: dad-jokes
display_name: Dad jokes
description: Answers whatever it is told with a joke.
tags:
- demo
---

You tell dad jokes. Answer each message with exactly one, and keep it clean.
""",
    "time-keeper": """\
---
name: time-keeper
display_name: Time keeper
description: Says what time it is anywhere.
capabilities:
- ref: current_time
tags:
- demo
- time
---

You tell the time. Ask for the place where it is not clear, and name the time zone in your answer.
""",
    "calculator": """\
---
name: calculator
display_name: Calculator
description: Computes with tools and never in its head.
capabilities:
- ref: test_math
tags:
- demo
- tools
---

You compute. Use a tool for every operation, and show the steps.
""",
}
"""Name → the text that is imported."""
