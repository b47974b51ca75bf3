"""Settings that a worker could not go by end its start, each in a sentence."""

import pytest

from mainspring_runtime.settings import SettingsError, load
from mainspring_worker.main import Settings

GOOD = {
    "MAINSPRING_ENGINE_ADDR": "127.0.0.1:9001",
    "MAINSPRING_EVENTSTORE_ADDR": "127.0.0.1:9003",
    "MAINSPRING_RESOURCE_ADDR": "127.0.0.1:9002",
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAINSPRING_WORKER_MCP_COMMANDS", "serve 'all"),
        ("MAINSPRING_WORKER_MCP_COMMANDS", "serve; TOKEN="),
        ("MAINSPRING_WORKER_MCP_COMMANDS", "serve; MODE= TOKEN=x serve all"),
        ("MAINSPRING_CAPABILITIES", "nowhere:IT"),
    ],
)
def test_what_a_worker_cannot_go_by_is_told_with_its_variable(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(Settings, {**GOOD, name: value})

    (problem,) = caught.value.problems
    assert problem.variable == name
    assert name not in problem.reason


def test_command_lines_that_a_shell_could_read_are_taken() -> None:
    commands = "TOKEN= serve --all; other 'a b';"

    settings = load(Settings, {**GOOD, "MAINSPRING_WORKER_MCP_COMMANDS": commands})

    assert settings.worker_mcp_commands == commands
