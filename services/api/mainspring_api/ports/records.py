"""Records of one organization, inside its transaction."""

from collections.abc import Sequence
from typing import Protocol, TypeVar
from uuid import UUID

from mainspring_api.domain.records import Record

R = TypeVar("R", bound=Record)


class Records(Protocol):
    """Each kind is a space of its own: ids, owners and keys of another kind are never met."""

    async def record(self, type_: type[R], id_: UUID, *, lock: bool = False) -> R | None:
        """With `lock` nobody changes it until the end of the transaction."""
        ...

    async def records_named(self, type_: type[R], ids: Sequence[UUID]) -> Sequence[R]:
        """Those that are there of these ids, in no order."""
        ...

    async def record_keyed(self, type_: type[R], owner_id: UUID, key: str) -> R | None:
        """The owner's one that bears the key."""
        ...

    async def records(
        self, type_: type[R], owner_id: UUID, *, offset: int = 0, limit: int
    ) -> Sequence[R]:
        """A page of those that belong to an owner, newest first."""
        ...

    async def records_before(
        self, type_: type[R], owner_id: UUID, before: tuple[int, UUID], *, limit: int
    ) -> Sequence[R]:
        """Those of an owner that are older than a `created_ms` and id, newest first."""
        ...

    async def records_after(self, type_: type[R], after: UUID, *, limit: int) -> Sequence[R]:
        """Those of the kind behind an id, by id, whoever owns them: a way through all of them."""
        ...

    async def count_records(self, type_: type[R], owner_id: UUID) -> int:
        """How many belong to an owner."""
        ...

    async def put_record(self, record: Record) -> None:
        """Inserts or replaces by id. Raises NameTaken where another of the owner has its key."""
        ...

    async def fork_records(self, owner_id: UUID, parent_id: UUID, *, as_of_ms: int | None) -> None:
        """Gives an owner what another had just before, or has now, of the kinds `by_time`."""
        ...

    async def own_records(self, owner_id: UUID) -> None:
        """Makes what a fork has from another owner its own: before one of those is dropped."""
        ...

    async def drop_owned(self, owner_id: UUID) -> None:
        """All records of whatever kind that belong to an owner, after it is gone itself."""
        ...

    async def drop_record(self, type_: type[Record], id_: UUID) -> bool:
        """Whether there was one."""
        ...
