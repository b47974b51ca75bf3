"""Which offered tool a text asks for, and with which arguments: by words, without any model."""

import re
from collections.abc import Iterable, Sequence
from typing import Final, cast

from mainspring_schema.agents import ToolDefinition
from mainspring_schema.messages import Json

_WORD: Final = re.compile(r"[A-Za-z]+")
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NUMBER: Final = re.compile(r"(?<![\w.])-?\d{1,15}(?:\.\d{1,15})?(?!\d)")
"""What JSON's numbers hold exactly."""
_QUOTED: Final = re.compile(r"\"[^\"]+\"|“[^“”]+”|(?<!\w)'[^']+'(?!\w)")
_NAMED: Final = re.compile(r"(?<!^)(?<![.!?]\s)\b[A-Z][\w'-]*(?:\s+[A-Z][\w'-]*)*")
_ZONE: Final = re.compile(r"\b[A-Z]\w+(?:/[A-Z]\w+)+\b|\bUTC\b")
_STRING_CHARS_MAX: Final = 200
_STEM_CHARS_MIN: Final = 3

# Verbs and fillers that would make every tool fit every text.
_PLAIN: Final[frozenset[str]] = frozenset(
    re.findall(
        r"\w+",
        "a an and are do does find for from get give has have how in is it list make of on run send"
        " set show the to tool use what with you",
    )
)


def wanted(
    text: str, tools: Sequence[ToolDefinition], called: Iterable[str]
) -> list[ToolDefinition]:
    """The tools whose name shares a word with the text, without those called before."""
    spoken = {_stem(word) for word in _found(_WORD, text)}
    seen = set(called)
    return [tool for tool in tools if tool.name not in seen and _words(tool.name) & spoken]


def arguments(text: str, schema: Json) -> Json:
    """Arguments that fit the schema as well as the text allows.

    Numbers and quoted or capitalised words are handed out in the order in which they stand, each
    once, to required members first. An optional string is filled only where the text names a value
    that can be meant for nothing else: one of an enumeration, or a time zone.
    """
    return _Filler(text).fill(schema)


def _words(name: str) -> set[str]:
    parts = _found(_WORD, _CAMEL.sub(" ", name))
    return {stem for stem in (_stem(part) for part in parts) if stem not in _PLAIN}


def _found(pattern: re.Pattern[str], text: str) -> list[str]:
    return pattern.findall(text)


def _stem(word: str) -> str:
    low = word.lower()
    return (
        low[:-1]
        if len(low) > _STEM_CHARS_MIN and low.endswith("s") and not low.endswith("ss")
        else low
    )


class _Filler:
    """Hands out what the text offers."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._numbers = [float(found) for found in _found(_NUMBER, text)]
        quoted = [found.strip("\"'“”") for found in _found(_QUOTED, text)]
        self._strings = quoted + [name for name in _found(_NAMED, text) if name not in quoted]
        self._zones = _found(_ZONE, text)

    def fill(self, schema: Json) -> Json:
        members = _object(schema.get("properties"))
        required = {name for name in _list(schema.get("required")) if isinstance(name, str)}
        filled: Json = {}
        for name in sorted(members, key=lambda name: name not in required):
            member = _object(members[name])
            value = self._value(name, member, needed=name in required)
            if value is not None:
                filled[name] = value
        return {name: filled[name] for name in members if name in filled}

    def _value(self, name: str, schema: Json, *, needed: bool) -> object:
        choices = _list(schema.get("enum"))
        if choices:
            return self._choice(choices, needed=needed)
        return self._by_type(name, schema, needed=needed)

    def _by_type(self, name: str, schema: Json, *, needed: bool) -> object:
        result: object = None
        match _type(schema):
            case "integer" | "number" as kind:
                number = self._number(schema, needed=needed)
                whole = kind == "integer" or (number is not None and number.is_integer())
                result = round(number) if number is not None and whole else number
            case "boolean":
                result = True if needed else None
            case "array":
                items = _object(schema.get("items"))
                result = [self._value(name, items, needed=True)] if needed else None
            case "object":
                result = self.fill(schema) if needed else None
            case _:
                result = self._string(name, schema, needed=needed)
        return result

    def _choice(self, choices: Sequence[object], *, needed: bool) -> object:
        low = self._text.lower()
        for choice in choices:
            if isinstance(choice, str) and re.search(rf"\b{re.escape(choice.lower())}\b", low):
                return choice
        return choices[0] if needed else None

    def _number(self, schema: Json, *, needed: bool) -> float | None:
        if not self._numbers and not needed:
            return None
        number = self._numbers.pop(0) if self._numbers else 1.0
        low, high = schema.get("minimum"), schema.get("maximum")
        if isinstance(low, int | float):
            number = max(number, float(low))
        if isinstance(high, int | float):
            number = min(number, float(high))
        return number

    def _string(self, name: str, schema: Json, *, needed: bool) -> str | None:
        if "zone" in name.lower():
            return self._zones.pop(0) if self._zones else "UTC" if needed else None
        default = schema.get("default")
        if not needed:
            return None
        if self._strings:
            return self._strings.pop(0)[:_STRING_CHARS_MAX]
        if isinstance(default, str):
            return default
        return self._text[:_STRING_CHARS_MAX] or name


def _type(schema: Json) -> object:
    declared = schema.get("type")
    options = _list(declared)
    return next((one for one in options if one != "null"), None) if options else declared


def _object(value: object) -> Json:
    return cast("Json", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return list(cast("list[object]", value)) if isinstance(value, list | tuple) else []
