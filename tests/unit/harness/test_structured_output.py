"""What an answer by schema must fit, and what is told of one that does not."""

import pytest

from mainspring_harness.builtin import builtin_registry, structured_output
from mainspring_harness.builtin.structured_output import Shape, bare, complaint
from mainspring_harness.capability import PromptContext
from mainspring_harness.errors import InvalidCapabilityConfig
from mainspring_schema.agents import CapabilityRef, ModelChoice
from mainspring_schema.messages import Json

SCHEMA: Json = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
MODEL = ModelChoice(model_id="m", model="m", provider_id="p", driver="llmsim", provider="p")


def resolved(config: Json) -> Shape | None:
    ref = CapabilityRef(ref="structured_output", config=config)
    return structured_output.shape(builtin_registry().resolve([ref]))


def test_an_answer_that_fits_has_no_problem() -> None:
    assert Shape(schema=SCHEMA).problems('{"n": 1}') == ()


def test_each_problem_says_where_and_what() -> None:
    assert Shape(schema=SCHEMA).problems('{"n": "one"}') == ('n: "one" is not of type "integer"',)


@pytest.mark.parametrize("text", ["", "Sure: {}", '{"n": 1', "NaN", "[" * 100_000])
def test_what_is_no_json_is_a_problem(text: str) -> None:
    (problem,) = Shape().problems(text)
    assert problem.startswith("it is no JSON: ")


def test_a_long_value_is_not_quoted_back_whole() -> None:
    (problem,) = Shape(schema={"type": "integer"}).problems(f'"{"x" * 100_000}"')

    assert len(problem) == structured_output.PROBLEM_CHARS_MAX


def test_any_json_fits_where_no_schema_is_given() -> None:
    shape = resolved({})

    assert shape is not None
    assert shape == Shape(schema={}, repairs_max=2)
    assert [shape.problems(text) for text in ("1", "[]", '"a"', "null")] == [()] * 4


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (' {"a": 1}\n', '{"a": 1}'),
        ('```json\n{"a": 1}\n```', '{"a": 1}'),
        ('```\n{"a":\n 1}\n```\n', '{"a":\n 1}'),
        ('Sure:\n```json\n{"a": 1}\n```', 'Sure:\n```json\n{"a": 1}\n```'),
    ],
)
def test_only_blanks_and_the_marks_of_a_block_are_taken_off(text: str, left: str) -> None:
    assert bare(text) == left


def test_the_model_is_told_the_schema_and_what_was_wrong() -> None:
    context = PromptContext(model=MODEL)
    prompt = structured_output.STRUCTURED_OUTPUT.prompt({"schema": SCHEMA}, context)

    assert prompt is not None
    assert '"required":["n"]' in prompt
    assert "- n: missing" in complaint(["n: missing"])


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"schema": {"type": "thing"}}, "schema: "),
        ({"schema": {"$ref": "https://127.0.0.1/schema.json"}}, "schema: "),
        ({"schema": {"description": "x" * 40_000}}, "schema: is over 32768 bytes"),
        ({"schema": []}, "schema: "),
        ({"repairs_max": 6}, "repairs_max: "),
    ],
)
def test_a_configuration_that_cannot_be_met_is_refused(config: Json, problem: str) -> None:
    with pytest.raises(InvalidCapabilityConfig, match=problem):
        resolved(config)


def test_an_agent_without_it_answers_as_it_likes() -> None:
    assert structured_output.shape(builtin_registry().resolve([])) is None
