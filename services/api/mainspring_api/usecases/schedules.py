"""Checks of schedules that only the api can make: whether the target exists."""

from mainspring_api.ports.store import Store
from mainspring_api.usecases import sessions
from mainspring_api.usecases.events import check_session
from mainspring_api.usecases.sessions import SessionDraft
from mainspring_kernel.ids import OrgId, SessionId


async def check_target(
    store: Store, org_id: OrgId, *, session_id: SessionId | None, session: SessionDraft
) -> None:
    """A session that is there, or one that could be made now.

    Raises NotFound, ValidationFailed. It may still be gone when a slot comes, which then fails.
    """
    if session_id is not None:
        await check_session(store, org_id, session_id)
        return
    async with store.transaction(org_id) as tx:
        await sessions.check(tx, session)
