"""Agents as text: what was written is read back."""

import pytest

from mainspring_api.domain import agent_text, examples
from mainspring_kernel.errors import ValidationFailed

AGENT: dict[str, object] = {
    "name": "writer",
    "tags": ["a", "b: c", "2024-01-01"],
    "capabilities": [{"ref": "current_time", "config": {"format": "unix", "n": 1.5}}],
    "parallel_tool_calls": False,
}
PROMPTS = ["", "Be kind.", "\n\nBlank around.\n\n", "---\nnot: front matter\n---\n", "# Ünïcode 🙂"]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_markdown_is_read_back_to_the_last_blank(prompt: str) -> None:
    members = {**AGENT, "system_prompt": prompt}

    assert agent_text.read(agent_text.write(members)) == members


@pytest.mark.parametrize("prompt", PROMPTS)
def test_yaml_is_read_back(prompt: str) -> None:
    members = {**AGENT, "system_prompt": prompt}

    assert agent_text.read(agent_text.write_yaml(members)) == members


def test_json_is_read() -> None:
    read = agent_text.read('  {"name": "x", "system_prompt": "Help."}')

    assert read == {"name": "x", "system_prompt": "Help."}


@pytest.mark.parametrize(
    ("text", "name"),
    [("You help.\nAlways.", "imported-agent"), ("# Support Desk, EU\n\nHelp.", "support-desk-eu")],
)
def test_any_other_text_is_a_prompt(text: str, name: str) -> None:
    assert agent_text.read(text) == {"system_prompt": text}
    assert agent_text.name_for(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  \n",
        "{not json",
        "---\n- a list\n---\nx",
        "---\n1: x\n---\nx",
        "---\nname: [\n---\nx",
        "---\na: &a [x]\nb: [*a, *a]\n---\nx",
    ],
)
def test_what_is_no_agent_is_refused(text: str) -> None:
    with pytest.raises(ValidationFailed):
        agent_text.read(text)


@pytest.mark.parametrize("name", examples.AGENTS)
def test_an_example_bears_its_name(name: str) -> None:
    read = agent_text.read(examples.AGENTS[name])

    assert read["name"] == name
    assert read["system_prompt"]
