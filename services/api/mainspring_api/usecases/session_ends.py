"""Tells an agent's webhooks that a session was deleted.

The message is stored and signed in the transaction that begins the deletion, because later there is
neither a configuration nor a secret. Plain tasks deliver it, under ids that are stored with it, so
a deletion that is finished twice tells once.
"""

import hashlib
import logging
from collections.abc import Sequence
from typing import Final

from msgspec import Struct, structs

from mainspring_api.domain.session_ends import Farewell
from mainspring_api.ports.control import Control
from mainspring_api.ports.store import Store, Transaction
from mainspring_api.ports.vault import Vault
from mainspring_api.usecases import secrets
from mainspring_api.usecases.configuration import Configurations
from mainspring_harness.hooking import hooks
from mainspring_harness.registry import Registry
from mainspring_kernel.errors import (
    DeadlineExceeded,
    MainspringError,
    TaskIdMismatch,
    TooManyRequests,
    Unavailable,
)
from mainspring_kernel.ids import Ids, OrgId, Prefix, SessionId, to_wire
from mainspring_schema import signing
from mainspring_schema.agents import RuntimeAgent, decode_runtime_agent
from mainspring_schema.codec import to_json
from mainspring_schema.hooks import HOOKS_MAX, Hook
from mainspring_schema.plain import SubmitTask
from mainspring_schema.session_ends import SESSION_END, SessionEnd

_LOG: Final = logging.getLogger(__name__)
FAREWELLS_MAX: Final = 4 * HOOKS_MAX
"""Of one session: hooks may come from a few capabilities."""
HANDING_MS_MAX: Final = 3600 * 1000
"""How long a deletion waits for an engine to take its tasks: longer than one is full or away, and
far below the age at which the ids that were written down are refused."""
_LATER: Final = (DeadlineExceeded, TooManyRequests, Unavailable)


class Ending(Struct, frozen=True, kw_only=True):
    """What it takes to know whom to tell."""

    configurations: Configurations
    registry: Registry
    vault: Vault
    ids: Ids


class Wanted(Struct, frozen=True, kw_only=True):
    """A hook that wants to know, and what it is told."""

    hook: Hook
    end: SessionEnd


async def wanted(ending: Ending, org_id: OrgId, id_: SessionId) -> Sequence[Wanted]:
    """Nobody where the configuration is unsound or gone: that must keep nobody from deleting.

    Raises Unavailable, DeadlineExceeded.
    """
    try:
        configuration = await ending.configurations.of(org_id, id_, None)
        agent = decode_runtime_agent(configuration.data)
        asked = hooks(ending.registry.resolve(agent.capabilities))
    except _LATER:
        raise
    except MainspringError as error:
        _LOG.info("nobody is told that a session ends: %s", error.detail)
        return ()
    except Exception:  # noqa: BLE001 - capabilities of people's own say which hooks they have
        _LOG.exception("nobody is told that a session ends: a capability fails")
        return ()
    listening = [hook for hook in asked if hook.point == "session_end"]
    return [_told(id_, agent, hook) for hook in listening[:FAREWELLS_MAX]]


async def write_down(
    tx: Transaction,
    ending: Ending,
    org_id: OrgId,
    id_: SessionId,
    told: Sequence[Wanted],
    *,
    now_ms: int,
) -> None:
    """In the transaction that begins the deletion, which an earlier one may have done.

    One that cannot be signed is not told.
    """
    for one in told:
        if await tx.record_keyed(Farewell, id_, _key(one.hook)) is not None:
            continue
        end = await _signed(tx, ending.vault, id_, one, now_ms=now_ms)
        if end is None:
            continue
        await tx.put_record(
            Farewell(
                org_id=org_id,
                id=ending.ids.uuid7(),
                owner_id=id_,
                key=_key(one.hook),
                end=end,
                created_ms=now_ms,
                updated_ms=now_ms,
            )
        )


async def hand_over(
    store: Store, control: Control, org_id: OrgId, id_: SessionId, *, now_ms: int
) -> bool:
    """Whether nobody is left who may still be told. Safe to repeat: the tasks are the same."""
    async with store.transaction(org_id) as tx:
        left = await tx.records(Farewell, id_, limit=FAREWELLS_MAX)
    return all([await _handed(control, one, now_ms=now_ms) for one in left])


async def _handed(control: Control, one: Farewell, *, now_ms: int) -> bool:
    """Whether it is done with: taken, or refused for good, which keeps nobody from deleting."""
    body = to_json(structs.asdict(one.end))
    task = SubmitTask(org_id=one.org_id, task_id=one.id, type=SESSION_END, input=body)
    try:
        await control.submit_task(task)
    except TaskIdMismatch:
        return True  # taken in other words: what is written down is spelled as of this version
    except _LATER as error:
        if now_ms - one.created_ms < HANDING_MS_MAX:
            return False
        _refused(one, error)
    except MainspringError as error:
        _refused(one, error)
    return True


def _refused(one: Farewell, error: MainspringError) -> None:
    extra = {"session": to_wire(Prefix.SESSION, one.owner_id), "hook": one.end.hook_id}
    _LOG.error("nobody tells a hook that a session ends: %s", error.detail, extra=extra)


def _key(hook: Hook) -> str:
    """By the address as well: nothing keeps people from giving two hooks one name."""
    return hashlib.sha256(f"{hook.id} {hook.url}".encode()).hexdigest()


def _told(id_: SessionId, agent: RuntimeAgent, hook: Hook) -> Wanted:
    session = to_wire(Prefix.SESSION, id_)
    body = {
        "id": f"{session}:{hook.point}:{hook.id}",
        "event": hook.point,
        "hook_id": hook.id,
        "session_id": session,
        "agent_id": agent.agent_id,
    }
    end = SessionEnd(
        url=hook.url,
        body=to_json(body).decode(),
        hook_id=hook.id,
        timeout_ms=hook.timeout_ms,
        network=agent.network_access,
    )
    return Wanted(hook=hook, end=end)


async def _signed(
    tx: Transaction, vault: Vault, id_: SessionId, one: Wanted, *, now_ms: int
) -> SessionEnd | None:
    if not one.hook.secret:
        return one.end
    try:
        secret = await secrets.opened(tx, vault, id_, one.hook.secret)
    except MainspringError as error:
        _LOG.warning("a hook of a session's end cannot be signed: %s", error.detail)
        return None
    if secret is None:
        _LOG.warning("a hook of a session's end has no secret", extra={"hook": one.hook.id})
        return None
    signature = signing.signature(secret, one.end.body.encode(), now_ms // 1000)
    return structs.replace(one.end, signature=signature)
