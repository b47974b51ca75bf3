"""The constraints that the tables in Postgres have."""

from uuid import UUID

from mainspring_kernel.errors import MainspringError


class BrokenRule(MainspringError):
    """An item that the tables would refuse."""


def repeats(values: "list[UUID] | list[str] | list[tuple[UUID, str]]") -> bool:
    return len(set(values)) < len(values)


def refuse(what: str, broken: bool) -> None:  # noqa: FBT001 - read as "refuse … where …"
    if broken:
        raise BrokenRule(what)
