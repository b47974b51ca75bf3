from msgspec import structs

from mainspring_harness.builtin.agent_instructions import TEXT_BYTES_MAX, shown
from mainspring_harness.prompt import blueprint, system_prompt
from mainspring_harness.registry import Registry
from mainspring_schema.agents import ModelChoice, RuntimeAgent, encode_runtime_agent

AGENT = RuntimeAgent(
    harness_id="h",
    system_prompt="Help.",
    model=ModelChoice(model_id="m", model="m", provider_id="p", driver="d", provider="P"),
    max_iterations=1,
)


def test_what_the_workspace_says_stands_first() -> None:
    agent = structs.replace(AGENT, agent_instructions="Say please.")

    prompt = system_prompt(blueprint(agent, Registry(())))
    assert prompt.startswith('<agent-instructions source="AGENTS.md">\nSay please.\n')
    assert "Help." in prompt.partition("</agent-instructions>")[2]


def test_an_agent_that_does_not_listen_keeps_its_hash() -> None:
    assert b"agent_instructions" not in encode_runtime_agent(AGENT)


def test_an_empty_file_says_nothing_and_a_long_one_is_cut() -> None:
    assert shown(b" \n") is None
    cut = shown(b"x" * (TEXT_BYTES_MAX + 1))
    assert cut is not None
    assert cut.endswith(f"(cut after {TEXT_BYTES_MAX} bytes)")
