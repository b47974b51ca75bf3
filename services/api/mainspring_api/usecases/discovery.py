"""Asks a provider for its models, and updates the catalogue with what it says.

A worker asks, in a plain task: only workers talk to providers, and only the holder of a task gets
the key. Nothing is changed until the whole list has come.
"""

from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from mainspring_api.domain.discovery import Synced, merged
from mainspring_api.domain.limits import MODELS_MAX
from mainspring_api.domain.providers import OwnProvider
from mainspring_api.ports.control import Control
from mainspring_api.ports.endings import Endings
from mainspring_api.ports.operator import OperatorDoor
from mainspring_api.ports.store import Store, Transaction
from mainspring_api.usecases import plain, providers
from mainspring_kernel.clock import Clock
from mainspring_kernel.errors import DeadlineExceeded, MainspringError, NoWorker, ValidationFailed
from mainspring_kernel.ids import Ids, OrgId, Prefix, ProviderId, to_wire
from mainspring_kernel.limits import PRIORITY_MAX, SYNC_START_MS, SYNC_WAIT_S
from mainspring_kernel.provider_errors import ProviderFailed
from mainspring_schema.discovery import LIST_MODELS, FoundModels, ListModels
from mainspring_schema.plain import CancelPlainTask, GetPlainTask, PlainTaskView, SubmitTask
from mainspring_schema.workflows import Flaw

_FOUND: Final = msgspec.json.Decoder(FoundModels)
_NOT_TAKEN: Final = "timeout.schedule_to_start"


class Asking(Struct, frozen=True, kw_only=True):
    """What a sync works with."""

    store: Store
    control: Control
    operator: OperatorDoor
    endings: Endings
    clock: Clock
    ids: Ids


async def sync(
    asking: Asking, org_id: OrgId, id_: ProviderId, *, now_ms: int
) -> tuple[OwnProvider, Synced]:
    """The provider as it is afterwards, and its models.

    Raises NotFound, PermissionDenied for one of the house, ProviderFailed in the provider's words,
    NoWorker, DeadlineExceeded, and ValidationFailed where the organization had too many models.
    """
    async with asking.store.transaction(org_id) as tx:
        provider = await providers.get(tx, id_)
    found = await _listed(asking, provider)
    async with asking.store.transaction(org_id) as tx:
        # Two syncs of one provider come one after the other.
        provider = await providers.get(tx, id_, lock=True)
        return await _kept(tx, asking.ids, provider, found, now_ms=now_ms)


async def _kept(
    tx: Transaction, ids: Ids, provider: OwnProvider, found: FoundModels, *, now_ms: int
) -> tuple[OwnProvider, Synced]:
    known = await providers.list_models(tx, provider.org_id)
    synced = merged(provider, known, found, new_id=ids.uuid7, now_ms=now_ms)
    if len(known) + len(synced.added) > MODELS_MAX:
        msg = f"with {len(synced.added)} more models there would be more than {MODELS_MAX}"
        raise ValidationFailed(msg)
    provider = structs.replace(provider, synced_ms=now_ms)
    await tx.put_record(provider)
    for model in (*synced.added, *synced.changed):
        await tx.put_record(model)
    await tx.renew_configurations()
    return provider, synced


async def _listed(asking: Asking, provider: OwnProvider) -> FoundModels:
    task_id = asking.ids.uuid7()
    asked = ListModels(provider_id=to_wire(Prefix.PROVIDER, provider.id))
    await asking.control.submit_task(
        SubmitTask(
            org_id=provider.org_id,
            task_id=task_id,
            type=LIST_MODELS,
            input=msgspec.json.encode(asked),
            priority=PRIORITY_MAX,
            start_within_ms=SYNC_START_MS,
        )
    )
    view = await plain.ended(
        asking.control,
        asking.endings,
        asking.clock,
        GetPlainTask(org_id=provider.org_id, task_id=task_id),
        wait_s=SYNC_WAIT_S,
    )
    return await _answer(asking, provider, view)


async def _answer(asking: Asking, provider: OwnProvider, view: PlainTaskView) -> FoundModels:
    if view.status == "completed" and view.result is not None:
        return _FOUND.decode(view.result)
    if view.flaw is not None:
        raise _refusal(provider, view.flaw)
    await _give_up(asking, provider.org_id, view.task_id)
    msg = f"the models of {provider.name!r} were not known within {SYNC_WAIT_S:.0f} s"
    raise DeadlineExceeded(msg)


async def _give_up(asking: Asking, org_id: OrgId, task_id: UUID) -> None:
    """Nobody waits for it any more; its bounds end it as well."""
    order = CancelPlainTask(org_id=org_id, task_id=task_id, reason="nobody waits for it any more")
    try:
        await asking.operator.operate(order)
    except MainspringError:
        return


def _refusal(provider: OwnProvider, flaw: Flaw) -> MainspringError:
    if flaw.code == _NOT_TAKEN:
        msg = "no worker that asks providers was free in time"
        return NoWorker(msg, retry_after_s=SYNC_START_MS / 1000)
    return ProviderFailed(f"{provider.name} ({flaw.code}): {flaw.message}")
