"""Finds a session that must exist, and a record that may."""

from typing import TypeVar
from uuid import UUID

from mainspring_api.domain.records import Record
from mainspring_api.domain.resources import Session
from mainspring_api.ports.store import Transaction
from mainspring_kernel.errors import NotFound
from mainspring_kernel.ids import SessionId

R = TypeVar("R", bound=Record)


async def known_session(tx: Transaction, id_: SessionId, *, lock: bool = False) -> Session:
    """Raises NotFound, also for one of another organization."""
    session = await tx.session(id_, lock=lock)
    if session is None:
        msg = "no such session"
        raise NotFound(msg)
    return session


async def known_record(tx: Transaction, type_: type[R], owner_id: UUID, key: str) -> R | None:
    """A key that nothing can have is no key for the store either."""
    return await tx.record_keyed(type_, owner_id, key) if key.isprintable() else None
