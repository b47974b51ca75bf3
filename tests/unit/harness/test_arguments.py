import pytest

from mainspring_harness.arguments import check_schema, problems
from mainspring_harness.errors import InvalidToolSchema
from mainspring_schema.messages import Json

SCHEMA: Json = {
    "type": "object",
    "properties": {"a": {"type": "number"}, "unit": {"enum": ["x", "y"]}},
    "required": ["a"],
    "additionalProperties": False,
}


def test_fitting_arguments_have_no_problem() -> None:
    assert problems("t", SCHEMA, {"a": 1.5, "unit": "x"}) == ()


def test_each_problem_says_where_and_what() -> None:
    found = problems("t", SCHEMA, {"a": "one", "unit": "z", "b": 1})

    assert 'a: "one" is not of type "number"' in found
    assert 'unit: "z" is not one of "x" or "y"' in found
    assert any("'b' was unexpected" in problem for problem in found)


def test_findings_are_bounded() -> None:
    schema: Json = {"properties": {f"p{n}": {"type": "string"} for n in range(50)}}

    assert len(problems("t", schema, {f"p{n}": n for n in range(50)})) == 5


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [(None, "null"), ([1], "an array"), ("x", "a string"), (1, "a number"), (True, "a boolean")],
)
def test_anything_but_an_object_is_a_problem(arguments: object, kind: str) -> None:
    assert problems("t", SCHEMA, arguments) == (f"arguments must be a JSON object, not {kind}",)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array"},
        {"properties": {"a": {"type": "nonsense"}}},
        {"properties": {"a": {"pattern": "("}}},
        {"properties": {"a": {"$ref": "#/$defs/missing"}}},
        {"$ref": "file:///etc/hostname"},
        {"$ref": "http://127.0.0.1:1/schema.json"},
    ],
)
def test_a_schema_that_is_wrong_or_reaches_out_is_refused(schema: Json) -> None:
    with pytest.raises(InvalidToolSchema, match="'t'"):
        check_schema("t", schema)


def test_a_problem_does_not_say_a_long_value_again() -> None:
    schema: Json = {"properties": {"a": {"type": "string", "maxLength": 3}}}

    (found,) = problems("add", schema, {"a": "x" * 10_000})

    assert len(found) < 1_000
    assert found.startswith('a: "xxx')
    assert found.endswith("is longer than 3 characters")
