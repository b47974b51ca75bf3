"""What a stack takes of Postgres' connections: the pools' bounds, read where they are wired."""

import re
from pathlib import Path
from typing import Final

POSTGRES_CONNECTIONS_MAX: Final = 20
"""Of one stack, with one process of each service."""
POOLED: Final = ("api", "engine", "eventstore", "scheduler")
_BOUND: Final = re.compile(r"^_CONNECTIONS_MAX: Final = (\d+)$", re.MULTILINE)
_POOL: Final = re.compile(r"connections_max=(\w+)")


def main_of(service: str) -> str:
    return Path(f"services/{service}/mainspring_{service}/main.py").read_text()


def test_all_pools_of_a_stack_are_within_its_bound() -> None:
    bounds = {name: int(_BOUND.findall(main_of(name))[0]) for name in POOLED}

    assert sum(bounds.values()) <= POSTGRES_CONNECTIONS_MAX, bounds


def test_no_service_opens_a_pool_that_is_not_counted() -> None:
    opened = {
        path.parts[1]: _POOL.findall(text)
        for path in Path("services").rglob("*.py")
        if "connections_max=" in (text := path.read_text())
    }

    assert opened.pop("local") == ["1"]  # `mainspring verify`, which is no service
    assert opened == {name: ["_CONNECTIONS_MAX"] for name in POOLED}
