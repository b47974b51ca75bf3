"""Arguments and results as JSON: what is recorded is what a replay gets back, of the same type."""

import hashlib
import inspect
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import chain, repeat
from string import Formatter
from typing import Any, Final, Generic, Never, NoReturn, TypeVar, cast, get_type_hints

import msgspec

from mainspring.errors import Unserializable
from mainspring.foreign import made, plain
from mainspring_kernel.limits import WORKFLOW_TYPE_CHARS_MAX, WORKFLOW_VALUE_BYTES_MAX
from mainspring_schema.keys import flaw_in

T_co = TypeVar("T_co", covariant=True)
BY_POSITION: Final = "*"
"""Of an input's object: the array of its arguments that are given by position. It is no name."""


def encode(value: object) -> bytes:
    """Raises Unserializable, also for what cannot be read again: a msgspec.Raw is not looked at."""
    raw = _written(value)
    try:
        _ANY.decode(raw)
    except ValueError as error:
        message = f"it is no JSON: {error}"
        raise Unserializable(message) from error
    return raw


def _written(value: object) -> bytes:
    try:
        raw = _ENCODER.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        message = f"it is no JSON: {error}"
        raise Unserializable(message) from error
    if len(raw) > WORKFLOW_VALUE_BYTES_MAX:
        message = f"{len(raw)} bytes, at most {WORKFLOW_VALUE_BYTES_MAX} are recorded"
        raise Unserializable(message)
    return raw


def decode(raw: bytes, wanted: object) -> object:
    """A value of this type. Raises ValueError for what does not fit."""
    return cast("object", msgspec.json.decode(raw, type=wanted, dec_hook=made))


def check_step_name(name: str) -> str:
    """The name. Raises ValueError for one that is too long, or no Unicode, to be recorded."""
    name.encode()
    if len(name) > WORKFLOW_TYPE_CHARS_MAX:
        message = f"{name[:WORKFLOW_TYPE_CHARS_MAX]}…: a name has at most {WORKFLOW_TYPE_CHARS_MAX}"
        raise ValueError(message)
    return name


def check_keys(keys: Iterable[str], circuit: str | None, parameters: Collection[str]) -> None:
    """Raises TypeError for a key that names no parameter, ValueError for what can be no key."""
    samples: list[str] = []
    for key in keys:
        parts = tuple(Formatter().parse(key))
        samples.append(
            "".join(text + ("" if field is None else "-") for text, field, _, _ in parts)
        )
        for _, field, _, _ in parts:
            name = re.split(r"[.\[]", field or "")[0]
            if field is not None and name not in parameters:
                message = f"the key {key!r} names {name!r}, which is no parameter"
                raise TypeError(message)
    flaw = flaw_in(tuple(samples), circuit or "")
    if flaw is not None:
        raise ValueError(flaw)


def hash_of(arguments: object) -> bytes:
    """What a step's input is compared by. Raises Unserializable."""
    try:
        try:
            raw = _SORTED.encode(arguments)
        except TypeError:  # a mapping by numbers, dates or the like: they are sorted as texts
            raw = _SORTED.encode(msgspec.to_builtins(arguments, str_keys=True, enc_hook=plain))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Unserializable(str(error)) from error
    return hashlib.sha256(raw).digest()


class Shape(Generic[T_co]):
    """A function's parameters and result, as JSON carries them.

    Raises TypeError for an annotation that JSON cannot be read as. One that names what is defined
    later is looked up when it is needed; `check` sees to it.
    """

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function
        self._signature = inspect.signature(function)
        self._fits = _counts_that_fit(self._signature)
        self._found: _Types | None = None
        with suppress(NameError):
            self._found = _Types(function, self._signature)

    def check(self) -> None:
        """Raises TypeError for an annotation that names what there is not."""
        _ = self._types

    @property
    def _types(self) -> "_Types":
        if self._found is None:
            try:
                self._found = _Types(self._function, self._signature)
            except NameError as error:
                message = (
                    f"{self._function.__qualname__}: {error}, which an annotation names: define it"
                    " where the module can see it, and not for type checkers alone"
                )
                raise TypeError(message) from error
        return self._found

    def bind(self, args: Sequence[object], kwargs: Mapping[str, object]) -> object:
        """The arguments as they are compared: an array, or an object where some are named.

        Raises TypeError where they do not fit the function.
        """
        if not kwargs and len(args) in self._fits:
            return list(args)  # as `bind` would say, at a tenth of its time
        bound = self._signature.bind(*args, **kwargs)
        return dict(bound.arguments) if kwargs else list(args)

    def sent(self, args: Sequence[object], kwargs: Mapping[str, object]) -> object:
        """The arguments as they are encoded, so that `arguments` finds this very call in them.

        An object names what has a name; where something has none, all that is given by position is
        under "*". Raises TypeError where they do not fit.
        """
        if not kwargs or self._types.all_named:
            return self.bind(args, kwargs)
        if BY_POSITION in kwargs:
            message = f"no argument can be named {BY_POSITION!r}"
            raise TypeError(message)
        given = self._signature.bind(*args, **kwargs).arguments
        if not self._types.nameless.isdisjoint(given):
            return {BY_POSITION: list(args), **kwargs}
        named = self._types.named
        return {name: given[name] for name in given if name in named} | {
            name: value for name, value in kwargs.items() if name not in named
        }

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(self._signature.parameters)

    def named(self, args: Sequence[object], kwargs: Mapping[str, object]) -> dict[str, object]:
        """All arguments by name, defaults too. Raises TypeError where they do not fit."""
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return dict(bound.arguments)

    def arguments(self, raw: bytes) -> tuple[list[object], dict[str, object]]:
        """Raises ValueError for what does not fit."""
        read = self._types
        if raw.lstrip()[:1] != b"{":
            return self._fitting(read.listed(_LISTED.decode(raw)), {})
        members = _NAMED.decode(raw)
        by_position = members.pop(BY_POSITION, None)
        listed = [] if by_position is None else read.listed(_LISTED.decode(by_position))
        return self._fitting(listed, {name: read.one(name, it) for name, it in members.items()})

    def _fitting(
        self, listed: list[object], named: dict[str, object]
    ) -> tuple[list[object], dict[str, object]]:
        try:
            self.bind(listed, named)
        except TypeError as error:
            raise ValueError(str(error)) from error
        return listed, named

    def kept(self, value: object, name: str) -> bytes:
        """What a call returned, as it is recorded of the step `name`.

        Raises Unserializable for what `result` would not read: found later, it could not be mended.
        """
        try:
            raw = _written(value)
        except Unserializable as error:
            message = f"{name} returned what cannot be recorded: {error}"
            raise Unserializable(message) from error
        types = self._types
        try:
            types.result.decode(raw)
        except (TypeError, ValueError) as error:
            wanted = inspect.formatannotation(types.returns)
            message = (
                f"{name} returned {type(value).__name__}, which does not fit {wanted}: {error}"
            )
            if isinstance(value, float):
                message += " (JSON has no NaN and no infinity)"
            raise Unserializable(message) from error
        return raw

    def result(self, raw: bytes) -> T_co:
        """Raises ValueError for what does not fit the annotation any more."""
        what = f"the result of {getattr(self._function, '__name__', self._function)}"
        return cast("T_co", _read(what, self._types.result, raw))


_Named = tuple[str, "msgspec.json.Decoder[object]"]


class _Types:
    """What reads the result of one function, and its arguments: by name, by position, all others.

    Raises NameError where an annotation names what there is not yet.
    """

    def __init__(self, function: Callable[..., object], signature: inspect.Signature) -> None:
        try:
            hints = cast("dict[str, object]", get_type_hints(function))
        except TypeError:
            hints = {}  # it is no function, but something that can be called
        self.returns = hints.get("return", object)
        self.result = _decoder(function, "what it returns", self.returns)
        self.named: dict[str, msgspec.json.Decoder[object]] = {}
        self.nameless: set[str] = set()
        """What only a position gives: before a slash, or behind a star."""
        self._placed: list[_Named] = []
        self._more: _Named = ("", _ANY)
        self._others = _ANY
        self.all_named = True
        for name, one in signature.parameters.items():
            read = _decoder(function, name, hints.get(name, object))
            if one.kind is one.VAR_KEYWORD:
                self._others = read
            elif one.kind is one.VAR_POSITIONAL:
                self._more = (name, read)
            elif one.kind is not one.KEYWORD_ONLY:
                self._placed.append((name, read))
            if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY):
                self.named[name] = read
                continue
            self.all_named = False
            if one.kind is not one.VAR_KEYWORD:
                self.nameless.add(name)

    def listed(self, given: Sequence[msgspec.Raw]) -> list[object]:
        places = zip(chain(self._placed, repeat(self._more)), given, strict=False)
        return [_read(f"the argument {name}", read, raw) for (name, read), raw in places]

    def one(self, name: str, raw: msgspec.Raw) -> object:
        return _read(f"the argument {name}", self.named.get(name, self._others), raw)


def _read(what: str, read: "msgspec.json.Decoder[object]", raw: bytes | msgspec.Raw) -> object:
    """Raises ValidationError, which says what does not fit, and not only where within it."""
    try:
        return read.decode(raw)
    except msgspec.ValidationError as error:
        message = f"{what}: {error}"
        raise msgspec.ValidationError(message) from error


def _counts_that_fit(signature: inspect.Signature) -> range:
    """How many arguments the function takes by position where none is named, as far as is sure."""
    places = list(signature.parameters.values())
    if any(one.kind not in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD) for one in places):
        return range(0)
    least = sum(cast("object", one.default) is one.empty for one in places)
    return range(least, len(places) + 1)


def _decoder(
    function: Callable[..., object], what: str, hint: object
) -> "msgspec.json.Decoder[object]":
    if any(hint is one for one in _ANYTHING):
        return _ANY
    try:
        return msgspec.json.Decoder(hint, strict=True, dec_hook=made)
    except TypeError as error:
        message = f"{getattr(function, '__qualname__', function)}: {what}: {error}"
        raise TypeError(message) from error


_ANYTHING: Final[tuple[object, ...]] = (object, Any, NoReturn, Never)
_ENCODER: Final = msgspec.json.Encoder(enc_hook=plain)
_SORTED: Final = msgspec.json.Encoder(order="sorted", enc_hook=plain)
_NAMED: "msgspec.json.Decoder[dict[str, msgspec.Raw]]" = msgspec.json.Decoder(
    dict[str, msgspec.Raw]
)
_LISTED: "msgspec.json.Decoder[list[msgspec.Raw]]" = msgspec.json.Decoder(list[msgspec.Raw])
_ANY: "msgspec.json.Decoder[object]" = msgspec.json.Decoder(object)
