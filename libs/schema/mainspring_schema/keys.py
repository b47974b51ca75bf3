"""What tasks may be given as keys, and as names of what they are, wait for and go through."""

import re
from typing import Final

from mainspring_kernel.declaration_limits import WAIT_MS_MAX
from mainspring_kernel.limits import (
    GATE_KEY_CHARS_MAX,
    KEY_CHARS_MAX,
    TASK_KEYS_MAX,
    WORKFLOW_TYPE_CHARS_MAX,
)
from mainspring_kernel.plain_limits import START_WITHIN_MS_MAX

KEY_PATTERN: Final = "[!-)+-~]+"
"""Printable, no space; a star would make it a family of keys."""
_KEY: Final = re.compile(KEY_PATTERN)
_OF_TASKS: Final = "key/"
_QUEUE: Final = "queue:"
_NAMED_BY_TASKS: Final = ("key", "circuit")
_PROVIDER: Final = re.compile("provider_[0-9a-f]{32}")
NAME: Final = re.compile(rf"[A-Za-z0-9_.:/-]{{1,{WORKFLOW_TYPE_CHARS_MAX}}}")
"""Of a type, a queue, a signal."""


def flaw_of_name(what: str, name: str) -> str | None:
    """What is wrong with the name of a type or a queue; None where it will do."""
    if NAME.fullmatch(name) is not None:
        return None
    return f"{what}: 1 to {WORKFLOW_TYPE_CHARS_MAX} of letters, digits and _ . : / -"


def flaw_of_start_bound(within_ms: int | None) -> str | None:
    """What is wrong with the time in which a task is to be taken; None where it will do."""
    if within_ms is None or 0 < within_ms <= START_WITHIN_MS_MAX:
        return None
    return f"the time until it is taken: 1 to {START_WITHIN_MS_MAX} ms"


def flaw_of_close_bound(within_ms: int | None) -> str | None:
    """What is wrong with the time in which a workflow is to end; None where it will do."""
    if within_ms is None or 0 < within_ms <= WAIT_MS_MAX:
        return None
    return f"the time until it has ended: 1 to {WAIT_MS_MAX} ms"


def flaw_of_gate_key(key: str) -> str | None:
    """What no key of a limit or a circuit can be, in words; None where it is one."""
    # What came as no UTF-8 stands as U+FFFD here: nobody meant it, and two such keys would be one.
    if len(key) > GATE_KEY_CHARS_MAX or not key.isprintable() or "\ufffd" in key:
        return f"a key: at most {GATE_KEY_CHARS_MAX} printable characters"
    return None


def flaw_of_new_limit_key(key: str) -> str | None:
    """As `flaw_of_gate_key`, and what no task is under; a family of keys ends in a star."""
    kind, _, name = key.partition("/")
    if key.startswith(_QUEUE):
        return flaw_of_gate_key(key) or flaw_of_name("a queue", key.removeprefix(_QUEUE))
    if kind in _NAMED_BY_TASKS:
        named = (name.removesuffix("*") or "-") if kind == "key" else name
        return flaw_in((named,), "")
    if name and _PROVIDER.fullmatch(kind) is not None:
        return flaw_of_gate_key(key)
    return "a key: provider_…:model with the id of the provider, queue:name, key:name, circuit:name"


def flaw_of_new_circuit_key(key: str) -> str | None:
    """As `flaw_of_new_limit_key`, of a circuit: neither a queue nor a key has one."""
    if key.startswith((_OF_TASKS, _QUEUE)):
        return "a circuit: provider_…:model with the id of the provider, or circuit:name"
    return flaw_of_new_limit_key(key)


def wire_key(key: str) -> str:
    """A key as people write it: `kind:name`, one segment of a path, with `~1` for a slash."""
    if key.startswith(_QUEUE):
        return f"{_QUEUE}{_escaped(key.removeprefix(_QUEUE))}"
    kind, slash, name = key.partition("/")
    return f"{kind}:{_escaped(name)}" if slash else _escaped(kind)


def key_of(text: str) -> str:
    """The key that `wire_key` wrote."""
    kind, colon, name = text.partition(":")
    if not colon:
        return _plain(kind)
    return f"{_QUEUE}{_plain(name)}" if kind == "queue" else f"{kind}/{_plain(name)}"


def _escaped(text: str) -> str:
    return text.replace("~", "~0").replace("/", "~1")


def _plain(text: str) -> str:
    return text.replace("~1", "/").replace("~0", "~")


def flaw_in(keys: tuple[str, ...], circuit: str) -> str | None:
    """What is wrong with them, in words; None where they will do. `circuit` "" is none."""
    if len(keys) > TASK_KEYS_MAX:
        return f"keys: at most {TASK_KEYS_MAX}"
    for what, name in (*(("a key", key) for key in keys), ("circuit", circuit or "-")):
        if len(name) > KEY_CHARS_MAX or _KEY.fullmatch(name) is None:
            return f"{what}: 1 to {KEY_CHARS_MAX} printable ASCII characters, no space and no *"
    return None
