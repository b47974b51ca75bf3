"""Values that are no JSON by themselves and know how to become it: pydantic's models, and paths."""

from pathlib import PurePath
from typing import Protocol, cast

import msgspec


class _Model(Protocol):
    """What a model of pydantic can do; we need no pydantic to ask for it."""

    def model_dump(self, *, mode: str) -> object: ...
    @classmethod
    def model_validate_json(cls, data: bytes, /) -> object: ...


def plain(value: object) -> object:
    """What msgspec encodes in its place. Raises TypeError."""
    if hasattr(type(value), "model_dump"):
        return cast("_Model", value).model_dump(mode="json")
    if isinstance(value, PurePath):
        return str(value)
    message = f"values of the type {type(value).__qualname__} cannot be written as JSON"
    raise TypeError(message)


def made(wanted: type, value: object) -> object:
    """A value of this type, of what JSON had in its place. Raises ValueError, TypeError."""
    if hasattr(wanted, "model_validate_json"):
        return cast("type[_Model]", wanted).model_validate_json(msgspec.json.encode(value))
    if issubclass(wanted, PurePath):
        if not isinstance(value, str):
            message = f"a path is a text, not {type(value).__name__}"
            raise TypeError(message)
        return wanted(value)
    if isinstance(value, wanted):
        return value
    message = f"values of the type {wanted.__qualname__} cannot be read from JSON"
    raise TypeError(message)
