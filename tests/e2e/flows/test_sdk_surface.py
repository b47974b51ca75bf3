"""Every method of the published SDK is proved by a test beside this one."""

from tests.e2e.flows import (
    surface,
    test_appeals,
    test_budgets,
    test_guardrails,
    test_sdk_agents,
    test_sdk_channels,
    test_sdk_resources,
)

PROOFS = (
    test_appeals,
    test_budgets,
    test_guardrails,
    test_sdk_agents,
    test_sdk_channels,
    test_sdk_resources,
)
"""Importing them says what they prove."""


def test_every_method_of_the_sdk_is_proved() -> None:
    assert surface.surface() == surface.served
