"""What other services ask of api about sessions, with the bodies that api once took in."""

from collections.abc import Sequence

from msgspec import Struct

from mainspring_api.adapters.http.wire.conversation import checked_content, controls_of
from mainspring_api.adapters.http.wire.resources import session_draft
from mainspring_api.adapters.http.wire.schedules import message_body, session_body
from mainspring_api.ports.store import Store
from mainspring_api.usecases import posting
from mainspring_api.usecases.messages import MessageDraft, MessagePath
from mainspring_harness.registry import Registry
from mainspring_kernel.clock import Clock
from mainspring_kernel.ids import Ids, MessageId, OrgId, SessionId
from mainspring_kernel.tracing import current_trace
from mainspring_schema.messages import Json
from mainspring_schema.posting import CancelTurn, OneTurn, Posted, PostMessage, TurnState


class SessionDoor(Struct, frozen=True, kw_only=True):
    store: Store
    path: MessagePath
    registry: Registry
    clock: Clock
    ids: Ids

    async def post(self, command: PostMessage) -> Posted:
        session = command.session
        draft = None if session is None else session_draft(session_body(session), self.registry)
        receipt = await posting.post(
            self.store,
            self.path,
            posting.Posting(
                org_id=OrgId(command.org_id),
                session_id=SessionId(command.session_id),
                session=draft,
                message_id=MessageId(command.message_id),
                message=_message(command),
            ),
            ids=self.ids,
            now_ms=self.clock.wall_ms(),
        )
        return Posted(turn_id=receipt.turn_id, seq=receipt.seq)

    async def states(self, turns: Sequence[OneTurn]) -> Sequence[TurnState]:
        return await posting.states(self.path.log, turns)

    async def cancel(self, command: CancelTurn) -> None:
        await posting.cancel(self.path, command)


def _message(command: PostMessage) -> MessageDraft:
    body, trace = message_body(command.message), current_trace()
    metadata: Json = {**(body.metadata or {}), **command.metadata}
    return MessageDraft(
        content=checked_content(body),
        controls=controls_of(body),
        metadata=metadata or None,
        external_actor=body.external_actor,
        traceparent=trace.format() if trace is not None else None,
    )
