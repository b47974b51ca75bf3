import pytest

from mainspring_harness.arguments import check_schema, misfits
from mainspring_harness.errors import InvalidToolSchema
from mainspring_harness.extents import extent_of
from mainspring_schema.messages import Json

TREE: Json = {"$ref": "#/$defs/tree"}
HERE: Json = {"$ref": "#"}


def doubling(levels: int) -> Json:
    """Each level takes the next one twice."""
    defs: Json = {
        f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]}
        for n in range(levels)
    }
    return {"$ref": "#/$defs/d0", "$defs": defs | {f"d{levels}": {"type": "integer"}}}


def nested(levels: int, leaf: object) -> object:
    value = leaf
    for _ in range(levels):
        value = {"n": value}
    return value


def test_a_schema_that_doubles_with_each_level_is_counted_and_not_tried() -> None:
    assert extent_of(doubling(60)).checks == 10**12
    assert misfits(doubling(60), 1) == ("it is too large to be checked against its schema",)
    assert misfits(doubling(3), 1) == ()


@pytest.mark.parametrize(
    "by_name",
    [
        {"$id": "urn:a", "$ref": "urn:a#/$defs/x", "$defs": {"x": {"type": "integer"}}},
        {"$ref": "#here", "$defs": {"x": {"$anchor": "here", "type": "integer"}}},
        {"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "integer"}}},
        {"$ref": "#/allOf/0", "allOf": [{"type": "integer"}]},
    ],
)
def test_references_are_followed_by_place_and_by_name(by_name: Json) -> None:
    assert extent_of(by_name).checks > 1
    assert misfits(by_name, 1) == ()
    assert misfits(by_name, "x") != ()


def test_a_choice_that_holds_itself_in_each_alternative_is_told_at_once() -> None:
    choice: Json = {"type": "object", "properties": {"n": HERE}, "required": ["n"]}
    schema: Json = {"anyOf": [{"allOf": [choice, {"required": ["z"]}]}, choice, {"type": "null"}]}

    assert misfits(schema, nested(60, None)) == ()
    assert misfits(schema, nested(60, 5)) == (
        "something in it does not fit its schema, which has too many choices to say what",
    )


def test_a_tree_is_no_choice_and_says_where_it_does_not_fit() -> None:
    tree: Json = {
        "type": "object",
        "properties": {"left": TREE, "right": TREE, "n": {"type": "integer"}},
    }
    schema: Json = {"$ref": "#/$defs/tree", "$defs": {"tree": tree}}
    value = {"left": {"right": {"left": {"n": "x"}}}, "right": {"n": 1}}

    assert extent_of(schema).returns == 1
    assert misfits(schema, value) == ('left.right.left.n: "x" is not of type "integer"',)


def test_of_very_many_misfits_the_first_is_told() -> None:
    schema: Json = {"items": {"type": "integer"}}

    assert misfits(schema, ["x"] * 300_000) == ('0: "x" is not of type "integer"',)


def test_a_pattern_that_tries_for_ever_is_no_fit() -> None:
    schema: Json = {"items": {"pattern": r"(?=.*b)^(a|aa)+$"}}

    assert misfits(schema, ["b" + "a" * 60]) != ()
    assert misfits(schema, ["a" * 5_000] * 5_000) == (
        "it is too large to be checked against its schema",
    )


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"$ref": "elsewhere.json"}}},
        {"$ref": "#/$defs/0", "$defs": {str(n): {"$ref": f"#/$defs/{n + 1}"} for n in range(9999)}},
    ],
)
def test_references_that_lead_out_or_on_and_on_are_refused(schema: Json) -> None:
    with pytest.raises(InvalidToolSchema):
        check_schema("t", schema)
