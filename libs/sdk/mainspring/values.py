"""Arguments and results as JSON: what is recorded is what a replay gets back, of the same type."""

import hashlib
import inspect
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from string import Formatter
from typing import Generic, TypeVar, cast, get_type_hints

import msgspec

from mainspring.errors import Unserializable
from mainspring_kernel.limits import WORKFLOW_TYPE_CHARS_MAX, WORKFLOW_VALUE_BYTES_MAX

T_co = TypeVar("T_co", covariant=True)


def encode(value: object) -> bytes:
    """Raises Unserializable."""
    try:
        raw = msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        message = f"{type(value).__name__} is no JSON: {error}"
        raise Unserializable(message) from error
    if len(raw) > WORKFLOW_VALUE_BYTES_MAX:
        message = f"{len(raw)} bytes, at most {WORKFLOW_VALUE_BYTES_MAX} are recorded"
        raise Unserializable(message)
    return raw


def check_step_name(name: str) -> str:
    """The name. Raises ValueError for one that is too long, or no Unicode, to be recorded."""
    name.encode()
    if len(name) > WORKFLOW_TYPE_CHARS_MAX:
        message = f"{name[:WORKFLOW_TYPE_CHARS_MAX]}…: a name has at most {WORKFLOW_TYPE_CHARS_MAX}"
        raise ValueError(message)
    return name


def check_keys(keys: Iterable[str], parameters: Collection[str]) -> None:
    """Raises TypeError for a key that names what is no parameter."""
    for key in keys:
        for _, field, _, _ in Formatter().parse(key):
            name = re.split(r"[.\[]", field or "")[0]
            if field is not None and name not in parameters:
                message = f"the key {key!r} names {name!r}, which is no parameter"
                raise TypeError(message)


def hash_of(arguments: object) -> bytes:
    """What a step's input is compared by. Raises Unserializable."""
    try:
        return hashlib.sha256(msgspec.json.encode(arguments, order="sorted")).digest()
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Unserializable(str(error)) from error


class Shape(Generic[T_co]):
    """A function's parameters and result, as JSON carries them."""

    def __init__(self, function: Callable[..., object]) -> None:
        self._signature = inspect.signature(function)
        self._names = tuple(self._signature.parameters)
        self._fits = _counts_that_fit(self._signature)
        try:
            hints = cast("dict[str, object]", get_type_hints(function))
        except (NameError, TypeError):
            # Names that only a type checker can see: the values come as plain JSON.
            hints = {}
        self._result = _decoder(hints.get("return", object))
        self._parameters = {
            name: _decoder(hints.get(name, object)) for name in self._signature.parameters
        }

    def bind(self, args: Sequence[object], kwargs: Mapping[str, object]) -> object:
        """The arguments as they are encoded: an array, or an object where some are named.

        Raises TypeError where they do not fit the function.
        """
        if not kwargs and len(args) in self._fits:
            return list(args)  # as `bind` would say, at a tenth of its time
        bound = self._signature.bind(*args, **kwargs)
        return dict(bound.arguments) if kwargs else list(args)

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(self._parameters)

    def named(self, args: Sequence[object], kwargs: Mapping[str, object]) -> dict[str, object]:
        """All arguments by name, defaults too. Raises TypeError where they do not fit."""
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return dict(bound.arguments)

    def arguments(self, raw: bytes) -> tuple[list[object], dict[str, object]]:
        """Raises ValueError for what does not fit."""
        if raw.lstrip()[:1] == b"{":
            named = {
                name: self._argument(name, value) for name, value in _NAMED.decode(raw).items()
            }
            return self._fitting([], named)
        given = _LISTED.decode(raw)
        names = self._names
        listed = [
            self._argument(names[min(i, len(names) - 1)] if names else "", value)
            for i, value in enumerate(given)
        ]
        return self._fitting(listed, {})

    def _fitting(
        self, listed: list[object], named: dict[str, object]
    ) -> tuple[list[object], dict[str, object]]:
        try:
            self.bind(listed, named)
        except TypeError as error:
            raise ValueError(str(error)) from error
        return listed, named

    def _argument(self, name: str, raw: msgspec.Raw) -> object:
        return self._parameters.get(name, _ANY).decode(raw)

    def result(self, raw: bytes) -> T_co:
        """Raises ValueError for what does not fit the annotation any more."""
        return cast("T_co", self._result.decode(raw))


def _counts_that_fit(signature: inspect.Signature) -> range:
    """How many arguments the function takes by position where none is named, as far as is sure."""
    places = list(signature.parameters.values())
    if any(one.kind not in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD) for one in places):
        return range(0)
    least = sum(cast("object", one.default) is one.empty for one in places)
    return range(least, len(places) + 1)


def _decoder(hint: object) -> "msgspec.json.Decoder[object]":
    try:
        return msgspec.json.Decoder(hint, strict=True)
    except TypeError:
        return _ANY  # no JSON type: it comes as plain JSON


_NAMED: "msgspec.json.Decoder[dict[str, msgspec.Raw]]" = msgspec.json.Decoder(
    dict[str, msgspec.Raw]
)
_LISTED: "msgspec.json.Decoder[list[msgspec.Raw]]" = msgspec.json.Decoder(list[msgspec.Raw])
_ANY: "msgspec.json.Decoder[object]" = msgspec.json.Decoder(object)
