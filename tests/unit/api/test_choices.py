"""A refusal of one value names those that there are."""

from enum import Enum
from typing import Literal

import pytest
from msgspec import Struct

from mainspring_api.adapters.http.edge import decode_body, decode_query
from mainspring_kernel.errors import InvalidParameter, ValidationFailed


class Card(Struct, tag="card", tag_field="kind"):
    brand: Literal["visa", "amex"]


class Cash(Struct, tag="cash", tag_field="kind"):
    cents: int = 0


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


class Body(Struct):
    overlap: Literal["skip", "buffer_one"] | None = None
    paid: Card | Cash | None = None
    sizes: list[Size] = []
    by_name: dict[str, Size] = {}
    count: Literal[1, 2] = 1


@pytest.mark.parametrize(
    ("body", "path", "choices"),
    [
        (b'{"overlap": "all"}', "$.overlap", "buffer_one, skip"),
        (b'{"paid": {"kind": "gold"}}', "$.paid.kind", "card, cash"),
        (b'{"paid": {"kind": "card", "brand": "x"}}', "$.paid.brand", "amex, visa"),
        (b'{"sizes": ["small", "huge"]}', "$.sizes[1]", "large, small"),
        (b'{"by_name": {"a": "huge"}}', "$.by_name[...]", "large, small"),
        (b'{"count": 7}', "$.count", "1, 2"),
    ],
)
def test_a_value_that_there_is_not_is_answered_with_those_that_there_are(
    body: bytes, path: str, choices: str
) -> None:
    with pytest.raises(ValidationFailed) as refused:
        decode_body(body, Body, "application/json")

    assert refused.value.detail.endswith(f"at `{path}`; it is one of {choices}")


def test_so_is_a_parameter_of_a_query() -> None:
    with pytest.raises(InvalidParameter, match="it is one of buffer_one, skip"):
        decode_query(b"overlap=all", Body)


def test_what_is_of_another_type_is_said_as_before() -> None:
    with pytest.raises(ValidationFailed) as refused:
        decode_body(b'{"paid": {"kind": "cash", "cents": "one"}}', Body, "application/json")

    assert refused.value.detail == "Expected `int`, got `str` - at `$.paid.cents`"
