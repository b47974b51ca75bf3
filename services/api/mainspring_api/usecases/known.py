"""A session that must be there."""

from mainspring_api.domain.resources import Session
from mainspring_api.ports.store import Transaction
from mainspring_kernel.errors import NotFound
from mainspring_kernel.ids import SessionId


async def known_session(tx: Transaction, id_: SessionId, *, lock: bool = False) -> Session:
    """Raises NotFound, also for one of another organization."""
    session = await tx.session(id_, lock=lock)
    if session is None:
        msg = "no such session"
        raise NotFound(msg)
    return session
