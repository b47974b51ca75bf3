"""Keys of circuits and limits as they stand in a path."""

from mainspring_kernel.errors import ValidationFailed
from mainspring_schema.keys import flaw_of_gate_key, flaw_of_new_gate_key


def wire_key(key: str) -> str:
    """One segment of a path: `provider:model`, with `~1` for a slash in the model's name."""
    provider, slash, model = key.partition("/")
    if not slash:
        return _escaped(provider)
    return f"{provider}:{_escaped(model)}"


def key_of(text: str) -> str:
    """Raises ValidationFailed for what no key can be."""
    provider, colon, model = text.partition(":")
    return checked(f"{provider}/{_plain(model)}" if colon else _plain(text))


def new_key(key: str) -> str:
    """Of what is to be set. Raises ValidationFailed for what no task could be under."""
    flaw = flaw_of_new_gate_key(key)
    if flaw is not None:
        raise ValidationFailed(flaw)
    return key


def checked(key: str) -> str:
    """Raises ValidationFailed for what no key can be."""
    flaw = flaw_of_gate_key(key)
    if flaw is not None:
        raise ValidationFailed(flaw)
    return key


def _escaped(text: str) -> str:
    return text.replace("~", "~0").replace("/", "~1")


def _plain(text: str) -> str:
    return text.replace("~1", "/").replace("~0", "~")
