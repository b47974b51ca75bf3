"""What the API answers, as the client reads it."""

from typing import cast

import httpx
import msgspec
from msgspec import Struct

from mainspring.errors import ApiError


class Events(Struct):
    """A page of a history."""

    data: list[dict[str, object]]


class Answer(Struct):
    """Of a query."""

    result: object = None


class State(Struct):
    """What a workflow reported last."""

    state: object = None


class Cancelled(Struct):
    """What became of a cancel."""

    status: str


class _Refusal(Struct):
    code: str = "internal_error"
    detail: str = ""


def checked(answer: httpx.Response) -> bytes:
    """The body. Raises ApiError."""
    if answer.is_success:
        return answer.content
    try:
        refusal = msgspec.json.decode(answer.content, type=_Refusal)
    except msgspec.DecodeError:
        refusal = _Refusal(detail=answer.text[:200])
    raise ApiError(answer.status_code, refusal.code, refusal.detail)


def retry_after_s(answer: httpx.Response) -> float:
    """How long it asks to wait, within bounds."""
    try:
        return min(5.0, float(str(cast("object", answer.headers.get("retry-after", "0.5")))))
    except ValueError:
        return 0.5
