"""Arguments that the simulated model takes from a text, whatever the text."""

from mainspring_schema.messages import Json
from mainspring_worker.adapters.models.llmsim.guessing import arguments

NUMBER: Json = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
NAME: Json = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


def test_a_text_full_of_opening_quotes_is_read_once() -> None:
    text = "“" * 330_000 + "“Ada”"  # minutes, were each read to the end

    assert arguments(text, NAME) == {"a": "Ada"}


def test_a_number_of_many_digits_is_no_number() -> None:
    assert arguments(f"{'9' * 400} and 2", NUMBER) == {"a": 2}
