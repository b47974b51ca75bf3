"""Files that a worker writes into its session's workspace, in the name of the task it holds."""

import hashlib

from msgspec import Struct

from mainspring_api.domain import paths
from mainspring_api.domain.limits import IDEMPOTENCY_KEY_CHARS_MAX, WORKSPACE_BYTES_MAX
from mainspring_api.ports.store import Holding, RequestKey, Store
from mainspring_api.usecases import files
from mainspring_kernel.errors import (
    IdempotencyMismatch,
    InvalidParameter,
    NotFound,
    PayloadTooLarge,
)
from mainspring_kernel.ids import Ids, TaskId
from mainspring_kernel.limits import TOOL_RESULT_BYTES_MAX

ROUTE = "resource.write_file"


class HeldWrite(Struct, frozen=True, kw_only=True):
    """A whole file; what is at the path is replaced."""

    task_id: TaskId
    fence: int
    key: str
    path: str
    content: bytes

    @property
    def request_key(self) -> RequestKey:
        digest = hashlib.sha256(self.path.encode() + b"\x00" + self.content).digest()
        return RequestKey(route=ROUTE, key=self.key, body_hash=digest)


async def write(store: Store, wanted: HeldWrite, ids: Ids, *, now_ms: int) -> str:
    """The path in its one spelling. The same key again changes nothing.

    Raises LeaseLost, NotFound for a session that is being deleted, ValidationFailed, Conflict,
    IdempotencyMismatch, InvalidParameter for a key that none can be, PayloadTooLarge for the file
    or what its workspace then holds.
    """
    if not 0 < len(wanted.key) <= IDEMPOTENCY_KEY_CHARS_MAX or "\x00" in wanted.key:
        detail = f"an idempotency key has 1 to {IDEMPOTENCY_KEY_CHARS_MAX} characters"
        raise InvalidParameter(detail)
    if len(wanted.content) > TOOL_RESULT_BYTES_MAX:
        what = "a file of a worker"
        raise PayloadTooLarge(what, TOOL_RESULT_BYTES_MAX)
    path = paths.normalise(wanted.path)
    async with store.held_transaction(wanted.task_id, wanted.fence) as holding:
        key = wanted.request_key
        kept = await holding.tx.claim_key(key)
        if kept is None:
            await _put(holding, path, wanted.content, ids, now_ms=now_ms)
            await holding.tx.keep_answer(key, status=200, body=b"")
        elif kept.body_hash != key.body_hash:
            raise IdempotencyMismatch
    return path


async def _put(holding: Holding, path: str, content: bytes, ids: Ids, *, now_ms: int) -> None:
    # The session's lock is for processes of the version before, which know no other.
    session = await holding.tx.session(holding.session_id, lock=True)
    if session is None:
        detail = "the session is gone"
        raise NotFound(detail)
    # Writers come in one by one, so that the bound holds.
    await holding.tx.lock_files(session.workspace_id)
    if await holding.tx.size_bytes(session.workspace_id) + len(content) > WORKSPACE_BYTES_MAX:
        what = "a workspace that workers write to"
        raise PayloadTooLarge(what, WORKSPACE_BYTES_MAX)
    write_ = files.Write(org_id=holding.org_id, workspace_id=session.workspace_id, now_ms=now_ms)
    await files.replace(holding.tx, write_, path, content, ids)
