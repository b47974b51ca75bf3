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
_NAMED_BY_TASKS: Final = ("key", "circuit")
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


def flaw_of_new_gate_key(key: str) -> str | None:
    """As `flaw_of_gate_key`, and what tasks could not name; a family of keys ends in a star."""
    kind, _, name = key.partition("/")
    if kind not in _NAMED_BY_TASKS:
        return flaw_of_gate_key(key)
    return flaw_in((name.removesuffix("*") or "-",), "") if kind == "key" else flaw_in((name,), "")


def flaw_in(keys: tuple[str, ...], circuit: str) -> str | None:
    """What is wrong with them, in words; None where they will do. `circuit` "" is none."""
    if len(keys) > TASK_KEYS_MAX:
        return f"keys: at most {TASK_KEYS_MAX}"
    for what, name in (*(("a key", key) for key in keys), ("circuit", circuit or "-")):
        if len(name) > KEY_CHARS_MAX or _KEY.fullmatch(name) is None:
            return f"{what}: 1 to {KEY_CHARS_MAX} printable ASCII characters, no space and no *"
    return None
