"""Puts files that an agent's capabilities bring into the workspace, before a message is sent."""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import msgspec

from mainspring_api.domain import paths
from mainspring_api.ports.store import Store, Transaction
from mainspring_api.usecases import files
from mainspring_api.usecases.known import known_session
from mainspring_kernel.errors import Conflict
from mainspring_kernel.ids import Ids, OrgId, SessionId
from mainspring_schema.agents import InitialFile
from mainspring_schema.mounts import content_of

_KNOWN_MAX: Final = 100_000
"""Sessions whose files are known to be there: some 100 bytes each."""


class Mounts:
    """One per process: what it has put somewhere it does not look at again."""

    def __init__(self, store: Store, ids: Ids) -> None:
        self._store = store
        self._ids = ids
        self._there: OrderedDict[tuple[SessionId, bytes], None] = OrderedDict()

    async def ensure(
        self, org_id: OrgId, session_id: SessionId, mounted: Sequence[InitialFile], now_ms: int
    ) -> None:
        """Nothing of people's is written over. Raises NotFound, ValidationFailed for a path."""
        if not mounted:
            return
        key = (session_id, hashlib.sha256(msgspec.msgpack.encode(mounted)).digest())
        if key in self._there:
            return
        async with self._store.transaction(org_id) as tx:
            session = await known_session(tx, session_id)
            write = files.Write(org_id=org_id, workspace_id=session.workspace_id, now_ms=now_ms)
            await tx.lock_files(session.workspace_id)
            for one in mounted:
                await _put(tx, write, one, self._ids)
        self._there[key] = None
        if len(self._there) > _KNOWN_MAX:
            self._there.popitem(last=False)


async def _put(tx: Transaction, write: files.Write, one: InitialFile, ids: Ids) -> None:
    """Where nothing is; a read-only file becomes what its capability says now."""
    where = paths.normalise(one.path)
    draft = files.FileDraft(content=content_of(one), is_readonly=one.is_readonly)
    there = await tx.file(write.workspace_id, where)
    if there is None:
        # People's own file may stand where a directory should: it stays, and this one is not there.
        with suppress(Conflict):
            await files.create(tx, write, where, draft, ids)
    elif there.is_readonly and one.is_readonly and there.content != draft.content:
        await tx.put_files([files.make_file(write, where, draft, there.id)])
