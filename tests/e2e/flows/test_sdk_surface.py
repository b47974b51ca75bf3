"""Every method of the published SDK is proved by a test beside this one, or known to be missing."""

from tests.e2e.flows import (
    surface,
    test_appeals,
    test_sdk_agents,
    test_sdk_channels,
    test_sdk_resources,
)

PROOFS = (test_appeals, test_sdk_agents, test_sdk_channels, test_sdk_resources)
"""Importing them says what they prove."""
MISSING = {
    "sessions.budgets", "sessions.budget_check", "sessions.resume",
    "workspace_files.move_file", "workspace_files.copy_file", "workspace_files.grep",
    "memories.grep_files",
    "budgets.create", "budgets.list", "budgets.get", "budgets.update", "budgets.delete",
    "budgets.top_up", "budgets.ledger", "budgets.check",
    "channel.runtime_token",
}  # fmt: skip
"""What the server does not answer yet."""


def test_every_method_of_the_sdk_is_proved_or_known_to_be_missing() -> None:
    assert surface.surface() == surface.served | MISSING
    assert not surface.served & MISSING
