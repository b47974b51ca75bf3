"""What tools read and change in their session, in the name of the task that their worker holds.

Reads check the hold as writes do: a worker that lost the task sees nothing any more. A change and
its answer are kept under the call's key in one transaction, so a second attempt of the call gets
the first one's answer and changes nothing.
"""

import hashlib
from typing import Final, assert_never

import msgspec

from mainspring_api.domain.limits import IDEMPOTENCY_KEY_CHARS_MAX
from mainspring_api.domain.resources import Session
from mainspring_api.ports.store import Holding, RequestKey
from mainspring_api.ports.vault import Vault
from mainspring_api.usecases import (
    file_changes,
    file_questions,
    held_budgets,
    held_mcp,
    held_schedules,
    held_storage,
    held_tasks,
)
from mainspring_api.usecases.keeper import Keeper
from mainspring_kernel.errors import (
    IdempotencyMismatch,
    InvalidParameter,
    NotFound,
    ValidationFailed,
)
from mainspring_kernel.ids import Prefix, TaskId, WorkspaceId, to_wire
from mainspring_kernel.limits import DISPLAY_NAME_CHARS_MAX
from mainspring_schema.budgets import OwnBudgets
from mainspring_schema.codec import pack
from mainspring_schema.frames import Held
from mainspring_schema.holdings import (
    AnyOrder,
    AnyQuestion,
    ChangeFiles,
    DropSecret,
    DropValue,
    EditFile,
    GetSession,
    GetValue,
    ListFiles,
    ListKeys,
    ListSecrets,
    MakeSecret,
    NameSession,
    OpenSecret,
    PutValue,
    ReadFile,
    ReadFiles,
    Recall,
    Recalled,
    RowOrder,
    RowQuestion,
    SessionInfo,
)
from mainspring_schema.mcp import ListPins, OpenServer, PinTools
from mainspring_schema.session_schedules import (
    CancelSchedule,
    ListSessionSchedules,
    MakeSchedule,
)
from mainspring_schema.session_tasks import (
    CancelTask,
    GetSessionTask,
    ListSessionTasks,
    MessageTask,
    SpawnAgent,
    StartCall,
)

ROUTE: Final = "resource.change"
_DONE: Final = 200


async def ask(keeper: Keeper, held: Held, question: AnyQuestion, *, now_ms: int) -> bytes:
    """The packed answer. Raises LeaseLost, NotFound, ValidationFailed, SecretUnreadable."""
    if isinstance(question, ListSessionSchedules):
        return pack(await held_schedules.listed(keeper, held))
    if isinstance(question, OwnBudgets):
        return pack(await held_budgets.own(keeper, held))
    if isinstance(question, ListSessionTasks | GetSessionTask):
        return pack(await held_tasks.answer(keeper, held, question, now_ms=now_ms))
    async with keeper.store.held_transaction(TaskId(held.task_id), held.fence) as holding:
        return pack(await _answer(holding, keeper.vault, question))


async def change(keeper: Keeper, held: Held, order: AnyOrder, *, key: str, now_ms: int) -> bytes:
    """The packed answer; that of the first time where the key is known.

    Raises LeaseLost, NotFound, Conflict, ValidationFailed, IdempotencyMismatch, PayloadTooLarge.
    """
    match order:
        case MakeSchedule():
            made = await held_schedules.make(keeper, held, order, key=key, now_ms=now_ms)
            return pack(made)
        case CancelSchedule():
            return pack(await held_schedules.cancel(keeper, held, order))
        case SpawnAgent() | StartCall() | MessageTask() | CancelTask():
            return pack(await held_tasks.change(keeper, held, order, key=key, now_ms=now_ms))
        case _:
            return await _change(keeper, held, order, key=key, now_ms=now_ms)


async def _change(keeper: Keeper, held: Held, order: RowOrder, *, key: str, now_ms: int) -> bytes:
    """What changes nothing but rows, in one transaction with the key."""
    async with keeper.store.held_transaction(TaskId(held.task_id), held.fence) as holding:
        digest = hashlib.sha256(pack(order)).digest()
        request = _request_key(holding, key, digest)
        kept = await holding.tx.claim_key(request)
        if kept is not None:
            if kept.body_hash != digest:
                raise IdempotencyMismatch
            return kept.body
        answer = pack(await _carry_out(holding, keeper, order, now_ms=now_ms))
        await holding.tx.keep_answer(request, status=_DONE, body=answer)
    return answer


async def _answer(holding: Holding, vault: Vault, question: RowQuestion) -> object:
    match question:
        case GetValue() | ListKeys() | ListSecrets() | OpenSecret():
            return await held_storage.answer(holding, vault, question)
        case ListPins() | OpenServer():
            return await held_mcp.answer(holding, vault, question)
        case Recall():
            return await _recall(holding, question)
        case GetSession():
            return _info(await _session(holding))
        case ListFiles() | ReadFile() | ReadFiles():
            return await file_questions.answer(holding.tx, await _workspace(holding), question)
        case _:
            assert_never(question)


async def _carry_out(holding: Holding, keeper: Keeper, order: RowOrder, *, now_ms: int) -> object:
    match order:
        case PutValue() | DropValue() | MakeSecret() | DropSecret():
            return await held_storage.carry_out(
                holding, keeper.vault, order, keeper.ids, now_ms=now_ms
            )
        case ChangeFiles() | EditFile():
            # The session's lock is for processes of the version before, which know no other.
            place = file_changes.Place(
                tx=holding.tx,
                org_id=holding.org_id,
                workspace_id=await _workspace(holding, lock=True),
                ids=keeper.ids,
                now_ms=now_ms,
            )
            return await file_changes.carry_out(place, order)
        case PinTools():
            return await held_mcp.pin(holding, order, keeper.ids, now_ms=now_ms)
        case NameSession():
            return await _name(holding, order.title, now_ms=now_ms)
        case _:
            assert_never(order)


async def _workspace(holding: Holding, *, lock: bool = False) -> WorkspaceId:
    return (await _session(holding, lock=lock)).workspace_id


async def _session(holding: Holding, *, lock: bool = False) -> Session:
    """With `lock` the session's writers come in one by one, so that the bounds hold."""
    session = await holding.tx.session(holding.session_id, lock=lock)
    if session is None:
        detail = "the session is gone"
        raise NotFound(detail)
    return session


async def _name(holding: Holding, title: str, *, now_ms: int) -> SessionInfo:
    if not 0 < len(title.strip()) <= DISPLAY_NAME_CHARS_MAX or "\x00" in title:
        detail = f"a title has 1 to {DISPLAY_NAME_CHARS_MAX} characters"
        raise ValidationFailed(detail)
    session = await _session(holding, lock=True)
    named = msgspec.structs.replace(session, title=title, updated_ms=now_ms)
    await holding.tx.put_session(named)
    return _info(named)


def _info(session: Session) -> SessionInfo:
    agent_id = session.agent_id
    return SessionInfo(
        session_id=to_wire(Prefix.SESSION, session.id),
        title=session.title,
        agent_id=to_wire(Prefix.AGENT, agent_id) if agent_id is not None else None,
        harness_id=to_wire(Prefix.HARNESS, session.harness_id),
        created_ms=session.created_ms,
    )


async def _recall(holding: Holding, question: Recall) -> Recalled:
    kept = await holding.tx.kept_answer(_request_key(holding, question.key, b""))
    if kept is None or kept.status is None:
        return Recalled(note=None)
    return msgspec.msgpack.decode(kept.body, type=Recalled)


def _request_key(holding: Holding, key: str, digest: bytes) -> RequestKey:
    scoped = f"{holding.session_id.hex}:{key}"
    if not key or len(scoped) > IDEMPOTENCY_KEY_CHARS_MAX or "\x00" in key:
        detail = f"a key with its session has 1 to {IDEMPOTENCY_KEY_CHARS_MAX} characters"
        raise InvalidParameter(detail)
    return RequestKey(route=ROUTE, key=scoped, body_hash=digest)
