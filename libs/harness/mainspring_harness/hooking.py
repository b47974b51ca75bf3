"""Which hooks an agent has: those of its configuration, and those its capabilities bring."""

from collections.abc import Iterable

from msgspec import structs

from mainspring_harness.builtin import user_hooks
from mainspring_harness.capability import Applied
from mainspring_schema.hooks import Hook


def hooks(applied: Iterable[Applied]) -> tuple[Hook, ...]:
    """In the order of the capabilities, each with an id that no other one has."""
    return tuple(
        hook if one.id == user_hooks.ID else _named(one, hook, index)
        for one in applied
        for index, hook in enumerate(one.capability.hooks(one.config))
    )


def _named(one: Applied, hook: Hook, index: int) -> Hook:
    """What people write under `user_hooks` keeps the name they gave it."""
    return structs.replace(hook, id=f"{one.id}.{hook.id or f'hook_{index}'}")
