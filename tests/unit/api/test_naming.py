from typing import cast

import pytest

from mainspring_api.domain.naming import can_name
from mainspring_api.ports.store import Transaction
from mainspring_api.usecases import agents
from mainspring_kernel.errors import NotFound


@pytest.mark.parametrize(
    ("text", "can"),
    [("a", True), ("a-1", True), ("", False), ("A", False), ("a\x00b", False), ("a\n", False)],
)
def test_only_names_can_name(text: str, can: bool) -> None:
    assert can_name(text) is can


class Unaskable:
    """A store that must not be asked: Postgres takes no NUL in a text."""

    async def agent_named(self, name: str, *, lock: bool = False) -> None:
        raise AssertionError(name, lock)


async def test_what_is_no_name_is_not_looked_up() -> None:
    with pytest.raises(NotFound):
        await agents.get(cast("Transaction", cast("object", Unaskable())), "a\x00b")
