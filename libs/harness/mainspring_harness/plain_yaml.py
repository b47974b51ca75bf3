"""YAML that people write: JSON's types, without aliases, and counted before it is built."""

import re
from collections.abc import Iterable
from typing import Final, cast

import yaml

EVENTS_MAX: Final = 50_000
"""Far more than an agent of a hundred tools has; this many are built within half a second."""
DEPTH_MAX: Final = 64
"""Collections in one another; beyond any schema of a tool that a model follows."""


class NotPlain(ValueError):
    """The text says what is wrong with the YAML."""


def read_yaml(text: str) -> object:
    """Raises NotPlain."""
    try:
        _count(text)
        return cast("object", yaml.load(text, Loader=_PlainLoader))  # noqa: S506 - a safe one
    except NotPlain:
        raise
    except (yaml.YAMLError, ValueError) as error:
        message = f"not YAML: {error}"
        raise NotPlain(message) from error


def _count(text: str) -> None:
    """Aliases are refused: a few can stand for more than any memory holds. Raises NotPlain."""
    depth = 0
    events = cast("Iterable[object]", yaml.parse(text, Loader=_PlainLoader))
    for number, event in enumerate(events):
        if isinstance(event, yaml.AliasEvent):
            message = "not plain YAML: it has aliases"
            raise NotPlain(message)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH_MAX or number > EVENTS_MAX:
            message = f"not plain YAML: over {EVENTS_MAX} values, or {DEPTH_MAX} in one another"
            raise NotPlain(message)


class _PlainLoader(yaml.CSafeLoader):
    """A date is a text, and so is 1:30 or 0x1F.

    By libyaml: the loader in Python takes minutes for what is nested deeply.
    """


_TAG: Final = "tag:yaml.org,2002:"
_OTHERWISE: Final = {f"{_TAG}{kind}" for kind in ("timestamp", "int", "float")}
_KNOWN = cast("dict[str, list[tuple[str, object]]]", yaml.SafeLoader.yaml_implicit_resolvers)
_PlainLoader.yaml_implicit_resolvers = {
    first: [one for one in known if one[0] not in _OTHERWISE] for first, known in _KNOWN.items()
}
_WHOLE: Final = r"-?(?:0|[1-9][0-9]*)"
for _kind, _pattern in (
    ("int", rf"{_WHOLE}\Z"),
    ("float", rf"{_WHOLE}(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?\Z"),
):
    _PlainLoader.add_implicit_resolver(f"{_TAG}{_kind}", re.compile(_pattern), list("-0123456789"))
