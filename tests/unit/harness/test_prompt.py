from pathlib import Path

import pytest

from mainspring_harness.builtin import builtin_registry
from mainspring_harness.capability import Capability, Fact, Info, PromptContext
from mainspring_harness.conversation import FactsMessage, UserMessage
from mainspring_harness.prompt import (
    Blueprint,
    Skill,
    Surroundings,
    blueprint,
    system_prompt,
    with_dynamic_facts,
)
from mainspring_harness.registry import Registry
from mainspring_harness.transcript import Transcript
from mainspring_schema.agents import CapabilityRef, ModelChoice, RuntimeAgent
from mainspring_schema.messages import Json
from tests.unit.harness.conversations import Log

GOLDEN = Path(__file__).parent / "golden"


def facts(_config: Json, context: PromptContext) -> tuple[Fact, ...]:
    return (
        Fact(text="The sky is blue."),
        Fact(text="It is <late> & dark."),
        Fact(text=f"Time: {context.at_ms}", dynamic=True),
    )


def prompt(config: Json, _context: PromptContext) -> str | None:
    return f"Say {config['word']}." if "word" in config else None


SPEAKER = Capability(
    info=Info(
        id="speaker",
        name="Speaker",
        description="",
        status="available",
        config_schema={"type": "object"},
    ),
    prompt=prompt,
)
ALMANAC = Capability(
    info=Info(id="almanac", name="Almanac", description="", status="available"), facts=facts
)
REGISTRY = Registry((SPEAKER, ALMANAC))


def plan(text: str, *refs: CapabilityRef, registry: Registry = REGISTRY) -> Blueprint:
    agent = RuntimeAgent(
        harness_id="harness_1",
        system_prompt=text,
        capabilities=refs,
        model=ModelChoice(
            model_id="m", model="llmsim", provider_id="p", driver="llmsim", provider="Simulator"
        ),
        max_iterations=5,
    )
    return blueprint(agent, registry)


SPEAK = CapabilityRef(ref="speaker", config={"word": "hi & <bye>"})
MUTE = CapabilityRef(ref="speaker")
FACTS = CapabilityRef(ref="almanac")
ALL = Surroundings(
    agent_instructions="Be kind.",
    session_goal="Ship it.",
    skills=(Skill(name="cook", description="Cooks."), Skill(name="sew", description="Sews.")),
)


@pytest.mark.parametrize(
    ("name", "built", "around"),
    [
        ("bare", plan("You help."), None),
        ("no_contribution_stays_bare", plan("You help.", MUTE), None),
        ("capability", plan("You help.", SPEAK), None),
        ("facts_alone_do_not_wrap", plan("You help.", FACTS), None),
        ("everything", plan("You help.\n\nIn <b>bold</b>.", SPEAK, FACTS), ALL),
        ("no_own_prompt", plan("", SPEAK, FACTS), None),
    ],
)
def test_the_system_prompt_has_the_exact_shape(
    name: str, built: Blueprint, around: Surroundings | None
) -> None:
    expected = (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")

    assert system_prompt(built, around) + "\n" == expected


def test_built_in_capabilities_have_the_exact_shape() -> None:
    refs = [CapabilityRef(ref=name) for name in ("current_time", "test_math", "test_weather")]

    built = plan("You help.", *refs, registry=builtin_registry())

    expected = (GOLDEN / "built_in.txt").read_text(encoding="utf-8")
    assert system_prompt(built) + "\n" == expected
    assert [tool.name for tool in built.definitions] == [
        "get_current_time",
        "add",
        "subtract",
        "multiply",
        "divide",
        "get_weather",
        "get_forecast",
    ]


def test_dynamic_facts_follow_each_group_of_inputs() -> None:
    log = Log().input(1, "a").input(2, "b").reason(1, 2).answer(3, "yes").input(4, "c").reason(4)
    transcript = Transcript()
    transcript.take(log.events)

    messages = with_dynamic_facts(plan("", FACTS), transcript.messages())

    kinds = [
        message.text if isinstance(message, UserMessage | FactsMessage) else "answer"
        for message in messages
    ]
    assert kinds == [
        "a",
        "b",
        "<facts>\nTime: 1700000003000\n</facts>",
        "answer",
        "c",
        "<facts>\nTime: 1700000006000\n</facts>",
    ]


def test_without_dynamic_facts_the_messages_stay_as_they_are() -> None:
    transcript = Transcript()
    transcript.take(Log().input(1, "a").reason(1).events)

    assert with_dynamic_facts(plan("", SPEAK), transcript.messages()) == transcript.messages()
