"""Keys of circuits and limits as they stand in a path."""

from mainspring_kernel.errors import ValidationFailed
from mainspring_schema.keys import (
    flaw_of_gate_key,
    flaw_of_new_circuit_key,
    flaw_of_new_limit_key,
    key_of,
)


def known_key(text: str) -> str:
    """Of what may be there. Raises ValidationFailed for what no key can be."""
    key = key_of(text)
    return _flawless(key, flaw_of_gate_key(key))


def new_circuit_key(text: str) -> str:
    """Of a circuit that is to be set. Raises ValidationFailed for what no task goes through."""
    key = key_of(text)
    return _flawless(key, flaw_of_new_circuit_key(key))


def new_limit_key(text: str) -> str:
    """Of a limit that is to be set. Raises ValidationFailed for what no task is under."""
    key = key_of(text)
    return _flawless(key, flaw_of_new_limit_key(key))


def _flawless(key: str, flaw: str | None) -> str:
    if flaw is not None:
        raise ValidationFailed(flaw)
    return key
