"""The message path: one statement, one flight to the engine, one answer."""

import msgspec
from msgspec import Struct

from mainspring_api.domain.tiers import Configuration
from mainspring_api.ports.control import Control
from mainspring_api.ports.log import Log
from mainspring_api.ports.store import Store
from mainspring_api.usecases.configuration import Configurations
from mainspring_api.usecases.events import check_session, event_pages
from mainspring_harness.messages_view import MessagesView
from mainspring_kernel.errors import ConfigurationUnknown, MainspringError
from mainspring_kernel.ids import MessageId, OrgId, Prefix, SessionId, to_wire
from mainspring_kernel.times import rfc3339
from mainspring_schema.commands import Receipt, Submit
from mainspring_schema.delivery import DeliveryMode
from mainspring_schema.events import StoredEvent
from mainspring_schema.lineage import SpawnedBy
from mainspring_schema.listing import EventFilter
from mainspring_schema.messages import Controls, ExternalActor, InputPart, Json, Message, Role


class MessageDraft(Struct, frozen=True, kw_only=True):
    """What a client sends. `body_hash` is the SHA-256 of its canonical body.

    `spawned_by` is the session that says it to a child of its own.
    """

    role: Role = "user"
    content: tuple[InputPart, ...]
    controls: Controls | None = None
    metadata: Json | None = None
    external_actor: ExternalActor | None = None
    idempotency_key: str | None = None
    body_hash: bytes = b""
    traceparent: str | None = None
    mode: DeliveryMode = "steer"
    spawned_by: SpawnedBy | None = None
    tags: tuple[str, ...] = ()


class Posted(Struct, frozen=True, kw_only=True):
    """The message as it stands in the log, and where it went."""

    message: Message
    receipt: Receipt


class MessagePath(Struct, frozen=True, kw_only=True):
    """What posting needs."""

    configurations: Configurations
    control: Control
    log: Log


async def post(
    path: MessagePath,
    org_id: OrgId,
    session_id: SessionId,
    draft: MessageDraft,
    *,
    message_id: MessageId,
    now_ms: int,
) -> Posted:
    """Raises NotFound, IdempotencyMismatch, SessionBusy, Unavailable, else it is committed."""
    model_id = draft.controls.model_id if draft.controls else None
    configuration = await path.configurations.of(org_id, session_id, model_id)
    await path.configurations.mounts.ensure(org_id, session_id, configuration.mounts, now_ms)
    message = _drafted(draft, message_id, now_ms)
    command = Submit(
        org_id=org_id,
        session_id=session_id,
        message_id=message_id,
        message=message,
        mode=draft.mode,
        config_hash=configuration.hash,
        idempotency_key=draft.idempotency_key,
        body_hash=draft.body_hash,
        traceparent=draft.traceparent,
        spawned_by=draft.spawned_by,
        tags=draft.tags,
    )
    receipt = await _submit(path, command, configuration)
    if receipt.message is not None:
        message = receipt.message
    elif receipt.message_id != message_id:
        message = await _committed_message(path.log, org_id, session_id, receipt)
    return Posted(message=message, receipt=receipt)


def _drafted(draft: MessageDraft, id_: MessageId, now_ms: int) -> Message:
    return Message(
        id=to_wire(Prefix.MESSAGE, id_),
        role=draft.role,
        content=draft.content,
        created_at=rfc3339(now_ms),
        controls=draft.controls,
        metadata=draft.metadata,
        external_actor=draft.external_actor,
    )


async def _submit(path: MessagePath, command: Submit, configuration: Configuration) -> Receipt:
    configurations = path.configurations
    if not configurations.is_known(configuration.hash):
        command = msgspec.structs.replace(command, config=configuration.data)
    try:
        receipt = await path.control.submit(command)
    except ConfigurationUnknown:
        # The engine's database is another one than it was; nothing was accepted.
        configurations.forgotten(configuration.hash)
        command = msgspec.structs.replace(command, config=configuration.data)
        receipt = await path.control.submit(command)
    # A duplicate was answered from its row, without a look at the configuration.
    if not receipt.duplicate:
        configurations.acknowledged(configuration.hash)
    return receipt


async def _committed_message(
    log: Log, org_id: OrgId, session_id: SessionId, receipt: Receipt
) -> Message:
    wanted = EventFilter(types=("input.message",), after_seq=receipt.seq - 1, limit=1)
    for event in (await log.list(session_id, org_id, wanted)).events:
        if event.seq == receipt.seq:
            return _input_of(event)
    message = f"the log has no message at {receipt.seq}"
    raise MainspringError(message)


async def list_all(
    store: Store,
    log: Log,
    org_id: OrgId,
    session_id: SessionId,
    *,
    limit: int | None,
    offset: int = 0,
) -> tuple[tuple[Message, ...], int]:
    """Messages as a model reads them, oldest first, and how many there are. Raises NotFound."""
    await check_session(store, org_id, session_id)
    # Page by page: a long session's events are many times what its messages are.
    view = MessagesView()
    async for events in event_pages(log, org_id, session_id):
        view.take(events)
    messages = view.messages()
    until = None if limit is None else offset + limit
    return messages[offset:until], len(messages)


def _input_of(event: StoredEvent) -> Message:
    return msgspec.json.decode(event.payload, type=_InputPayload).data.message


class _InputData(Struct):
    message: Message


class _InputPayload(Struct):
    data: _InputData
