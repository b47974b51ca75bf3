"""The edge: bytes and headers in, one decision about the status out."""

import hashlib
import logging
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec
from litestar import Request, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException, InternalServerException
from msgspec import Struct

from mainspring_api.adapters.http import choices
from mainspring_api.domain import limits
from mainspring_kernel.errors import (
    DeadlineExceeded,
    InvalidParameter,
    MainspringError,
    MalformedBody,
    MethodNotAllowed,
    NotFound,
    NotWaitingForToolResults,
    PayloadTooLarge,
    Unavailable,
    UnsupportedMediaType,
    ValidationFailed,
)
from mainspring_kernel.ids import DEFAULT_ORG_ID, OrgId, Prefix, from_wire
from mainspring_kernel.limits import DISPLAY_NAME_CHARS_MAX
from mainspring_kernel.provider_errors import ProviderFailed

_log = logging.getLogger(__name__)
T = TypeVar("T")
HttpRequest = Request[Any, Any, State]  # pyright: ignore[reportExplicitAny] -- user and auth, which no route has
JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
NO_MEMBERS: Final = b"{}"
_NUL: Final = b"\\u0000"
_HALF_PAIR: Final = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])")
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""Also one without an end: else each quote in it would be looked at as if another began there."""
_ALIKE: Final = bytes.maketrans(b"[]", b"{}")
_NEITHER: Final = bytes(set(range(256)) - set(b'[]{}"'))
"""Whatever is no bracket and no quote."""
_OURS_TO_MEND: Final = 500
"""From this status on the fault is on this side."""
_PUT_OFF: Final = frozenset({Unavailable.status, DeadlineExceeded.status, ProviderFailed.status})
"""Something behind us is away or slow: no failure of ours, and whoever asks comes again."""


# ── what comes in ───────────────────────────────────────────────────────────────────────────────


@cache
def _decoder(type_: type[T]) -> "msgspec.json.Decoder[T]":
    return msgspec.json.Decoder(type_)


async def read_body(request: HttpRequest) -> bytes:
    """Raises MalformedBody where the client went away in the middle: nobody reads it, nor a log."""
    try:
        return await request.body()
    except InternalServerException as error:  # Litestar's word for it
        msg = "the body ended early"
        raise MalformedBody(msg) from error


def decode_body(data: bytes, type_: type[T], content_type: str) -> T:
    """Strict JSON. Raises MalformedBody, UnsupportedMediaType, ValidationFailed."""
    media = content_type.partition(";")[0].strip().lower()
    if media and media != JSON and not media.endswith("+json"):
        msg = f"this route reads {JSON}"
        raise UnsupportedMediaType(msg)
    _check_shape(data)
    try:
        return _decoder(type_).decode(data)
    except msgspec.ValidationError as error:
        raise ValidationFailed(choices.told(error, type_)) from error
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _no_json(error, data) from error


def _no_json(error: Exception, data: bytes) -> MalformedBody:
    why = str(error)
    if "truncated" in why and _HALF_PAIR.search(data):  # it looks for the other half, past the end
        why = "half of a surrogate pair stands alone"
    return MalformedBody(f"the body is not JSON: {why}")


def decode_text(data: bytes) -> str:
    """Raises MalformedBody for what is not UTF-8, or holds what no store takes."""
    try:
        text = data.decode()
    except UnicodeError as error:
        msg = "the body is not UTF-8"
        raise MalformedBody(msg) from error
    if "\x00" in text:
        msg = "the body holds a NUL character"
        raise MalformedBody(msg)
    return text


def _check_shape(data: bytes) -> None:
    """Counting brackets is enough to let nearly every body pass without a second look."""
    many = data.count(b"{") + data.count(b"[") > limits.JSON_DEPTH_MAX
    if _NUL not in data and not (many and _may_nest_too_deep(data)):
        return
    try:
        value = msgspec.json.decode(data, type=object)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _no_json(error, data) from error
    _check_value(value, depth=0)


def _may_nest_too_deep(data: bytes) -> bool:
    """Without strings, brackets alone: they go from the inside out, one layer at a time.

    What is no JSON may pass here; its decoder sees that.
    """
    left = data.translate(_ALIKE, _NEITHER).replace(b'""', b"")
    if b'"' in left or b"\\" in data:  # a bracket in a string, or a quote
        left = _STRING.sub(b"", data).translate(_ALIKE, _NEITHER)
    for _ in range(limits.JSON_DEPTH_MAX):
        if not left:
            return False
        left = left.replace(b"{}", b"")
    return bool(left)


def _check_value(value: object, *, depth: int) -> None:
    if depth > limits.JSON_DEPTH_MAX:
        msg = f"the body nests deeper than {limits.JSON_DEPTH_MAX}"
        raise MalformedBody(msg)
    match value:
        case str():
            if "\x00" in value:
                msg = "the body holds a NUL character"
                raise MalformedBody(msg)
        case dict():
            for key, member in msgspec.convert(value, dict[str, object]).items():
                _check_value(key, depth=depth)
                _check_value(member, depth=depth + 1)
        case list():
            for member in msgspec.convert(value, list[object]):
                _check_value(member, depth=depth + 1)
        case _:
            pass


def decode_query(raw: bytes, type_: type[T], *, strict: bool = False) -> T:
    """Repeated keys for lists, one value otherwise. Raises InvalidParameter.

    `strict`: also for a parameter that is none of the type's.
    """
    pairs = _pairs(raw)
    if strict:
        _check_names(pairs, type_)
    given: dict[str, object] = {}
    for field in _fields(type_):
        values = [value for key, value in pairs if key == field.name]
        if field.repeated:
            given[field.name] = values
        elif len(values) > 1:
            msg = f"{field.name} was given twice"
            raise InvalidParameter(msg)
        elif values:
            given[field.name] = values[0]
    try:
        return msgspec.convert(given, type_, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidParameter(choices.told(error, type_)) from error


def check_path(path: str, raw: bytes) -> None:
    """Raises InvalidParameter for bytes that are no UTF-8: servers put U+FFFD in their place."""
    try:
        if "\ufffd" in path:
            unquote_to_bytes(raw).decode()
    except UnicodeError as error:
        msg = "the path is not percent-encoded UTF-8"
        raise InvalidParameter(msg) from error


def _pairs(raw: bytes) -> list[tuple[str, str]]:
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=1000
        )
    except (UnicodeError, ValueError) as error:
        msg = "the query is not percent-encoded UTF-8"
        raise InvalidParameter(msg) from error
    if any("\x00" in key or "\x00" in value for key, value in pairs):
        msg = "the query holds a NUL character"
        raise InvalidParameter(msg)
    return pairs


def _check_names(pairs: list[tuple[str, str]], type_: type[object]) -> None:
    names = [field.name for field in _fields(type_)]
    unknown = next((key for key, _ in pairs if key not in names), None)
    if unknown is not None:
        known = f"there are {', '.join(names)}" if names else "there are none"
        msg = f"there is no parameter {unknown[:DISPLAY_NAME_CHARS_MAX]!r} here: {known}"
        raise InvalidParameter(msg)


class _Field(Struct, frozen=True):
    name: str
    repeated: bool


@cache
def _fields(type_: type[object]) -> tuple[_Field, ...]:
    info = msgspec.inspect.type_info(type_)
    if not isinstance(info, msgspec.inspect.StructType):
        return ()
    return tuple(
        _Field(field.encode_name, isinstance(field.type, msgspec.inspect.ListType))
        for field in info.fields
    )


def organization_of(headers: Mapping[str, str]) -> OrgId:
    """Raises InvalidId."""
    text = headers.get("x-org-id")
    if not text:
        return DEFAULT_ORG_ID
    return OrgId(from_wire(Prefix.ORG, text))


def request_key(headers: Mapping[str, str]) -> str | None:
    """The Idempotency-Key. Raises InvalidParameter for one that no client should make."""
    key = headers.get("idempotency-key")
    if key is None:
        return None
    if not 0 < len(key) <= limits.IDEMPOTENCY_KEY_CHARS_MAX or not key.isprintable():
        message = (
            f"Idempotency-Key has 1 to {limits.IDEMPOTENCY_KEY_CHARS_MAX} printable characters"
        )
        raise InvalidParameter(message)
    return key


def canonical_hash(data: bytes) -> bytes:
    """SHA-256 of the parsed body with sorted members: spacing and order make no other request."""
    try:
        value: object = msgspec.json.decode(data) if data.strip() else None
        data = msgspec.json.encode(value, order="sorted")
    except (msgspec.MsgspecError, UnicodeError, OverflowError, RecursionError):
        pass  # a body that is no JSON is its own canonical form
    return hashlib.sha256(data).digest()


# ── what goes out ───────────────────────────────────────────────────────────────────────────────


class ErrorMember(Struct, frozen=True, kw_only=True):
    code: str
    message: str


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457, and the `error` member that the existing SDKs read."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    error: ErrorMember
    retry_after_seconds: float | None = None


def problem_of(error: MainspringError) -> Problem:
    # What went wrong inside, addresses among it, is for the log; a provider speaks to who has it.
    told = error.status < _OURS_TO_MEND or isinstance(error, ProviderFailed)
    detail = error.detail if told else error.title
    if isinstance(error, NotWaitingForToolResults) and error.phrase not in detail:
        # SDKs look for the phrase in the message.
        detail = error.title
    return Problem(
        type=f"urn:mainspring:error:{error.code}",
        title=error.title,
        status=error.status,
        detail=detail,
        code=error.code,
        error=ErrorMember(code=error.code, message=detail),
        retry_after_seconds=error.retry_after_s,
    )


def problem_headers(error: MainspringError) -> dict[str, str]:
    if error.retry_after_s is None:
        return {}
    return {"Retry-After": str(max(1, round(error.retry_after_s)))}


def ours(error: Exception) -> MainspringError:
    """The error of the house for whatever was raised."""
    if isinstance(error, MainspringError):
        return error
    if isinstance(error, HTTPException):
        return _from_litestar(error)
    return MainspringError()


def _from_litestar(error: HTTPException) -> MainspringError:
    match error.status_code:
        case 404:
            return NotFound("no such route")
        case 405:
            return MethodNotAllowed()
        case 413:
            what = "a body"
            return PayloadTooLarge(what, limits.JSON_BODY_BYTES_MAX)
        case 400:
            return MalformedBody(error.detail)
        case _:
            return MainspringError(error.detail)


def handle_error(request: HttpRequest, error: Exception) -> Response[bytes]:
    """The one place where an error becomes a status."""
    known = ours(error)
    if known.status in _PUT_OFF:
        _log.warning("%s %s was put off: %s", request.method, request.url.path, known.detail)
    elif known.status >= _OURS_TO_MEND:
        _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    headers = problem_headers(known)
    if isinstance(error, HTTPException) and error.headers:
        headers |= dict(error.headers)
    return Response(
        content=msgspec.json.encode(problem_of(known)),
        status_code=known.status,
        media_type=PROBLEM,
        headers=headers,
    )
