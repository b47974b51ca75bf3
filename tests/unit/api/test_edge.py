"""How the edge tells of what went wrong."""

import logging
from typing import TYPE_CHECKING, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import Request

from mainspring_api.adapters.http.edge import HttpRequest, decode_body, handle_error
from mainspring_api.domain.limits import JSON_BODY_BYTES_MAX, JSON_DEPTH_MAX
from mainspring_kernel.errors import DeadlineExceeded, MainspringError, MalformedBody, Unavailable

if TYPE_CHECKING:
    from litestar.types import HTTPScope


@pytest.mark.parametrize(
    ("error", "status", "level"),
    [
        (Unavailable("no engine"), 503, logging.WARNING),
        (DeadlineExceeded("a frozen engine"), 504, logging.WARNING),
        (MainspringError("a mistake of ours"), 500, logging.ERROR),
    ],
)
def test_what_is_only_away_is_no_failure_of_ours(
    caplog: pytest.LogCaptureFixture, error: MainspringError, status: int, level: int
) -> None:
    scope = cast("object", {"type": "http", "method": "POST", "path": "/", "raw_path": b"/"})
    request = cast("HttpRequest", Request(cast("HTTPScope", scope)))

    answer = handle_error(request, error)

    assert answer.status_code == status
    assert [record.levelno for record in caplog.records] == [level]


TEXTS = st.text(alphabet='ab[]{}"\\', max_size=6)
SHALLOW = st.recursive(
    TEXTS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)
)
"""Values whose strings look like brackets, ends of strings and escapes."""


@given(value=SHALLOW)
def test_what_does_not_nest_too_deep_is_read_however_much_it_holds(value: object) -> None:
    empty: list[object] = [[] for _ in range(JSON_DEPTH_MAX)]
    many = [value, *empty]

    assert decode_body(msgspec.json.encode(many), object, "application/json") == many


@given(texts=st.lists(TEXTS, min_size=JSON_DEPTH_MAX + 1, max_size=JSON_DEPTH_MAX + 8))
def test_what_nests_too_deep_is_refused_whatever_its_strings_hold(texts: list[str]) -> None:
    value: list[object] = []
    for number, text in enumerate(texts):
        value = [text, {text: value}] if number % 2 else [text, value]

    with pytest.raises(MalformedBody, match="nests deeper"):
        decode_body(msgspec.json.encode(value), object, "application/json")


def test_a_written_nul_is_refused_also_in_a_body_that_is_long_and_flat() -> None:
    body = b"[" + b"[]," * JSON_DEPTH_MAX + rb'"\u0000"]'

    with pytest.raises(MalformedBody, match="NUL"):
        decode_body(body, object, "application/json")


def test_a_string_without_an_end_is_looked_through_once() -> None:
    """Else a body of a mebibyte would take hours, and the process nothing else meanwhile."""
    quotes = JSON_BODY_BYTES_MAX // 2 - JSON_DEPTH_MAX
    body = b"[" * (JSON_DEPTH_MAX + 1) + b'"' + rb"\"" * quotes

    with pytest.raises(MalformedBody):
        decode_body(body, object, "application/json")
