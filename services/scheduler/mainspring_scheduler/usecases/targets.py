"""Asks the api or the engine to begin what a slot names, how it goes, and to cancel it."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, assert_never
from uuid import UUID

from mainspring_kernel.errors import MainspringError, NotFound
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_kernel.times import rfc3339
from mainspring_scheduler.domain.limits import SLOT_CALLS_IN_AIR_MAX
from mainspring_scheduler.domain.planning import OVERLAP
from mainspring_scheduler.domain.slots import Ended, Schedule, Slot, Started, asked_of, slot_key
from mainspring_scheduler.ports.targets import Turns, Workflows
from mainspring_schema.posting import CancelTurn, OneTurn, PostMessage, TurnState
from mainspring_schema.schedules import MessageTarget, WorkflowTarget
from mainspring_schema.workflows import CancelWorkflow, GetWorkflow, StartWorkflow

_log = logging.getLogger(__name__)
_REASON: Final = OVERLAP
"""Of a cancel. The reason of a turn's is the code that its execution shows."""


class SlotTargets:
    """The port `Targets` over turns and workflows."""

    def __init__(self, turns: Turns, workflows: Workflows) -> None:
        self._turns = turns
        self._workflows = workflows

    async def start(self, schedule: Schedule, slot: Slot) -> Started:
        """Begins it, or finds it begun. Raises MainspringError."""
        asked = asked_of(schedule, slot)
        target = asked.target
        match target:
            case MessageTarget():
                posted = await self._turns.post(_message(slot, asked.name, target))
                return Started(turn_id=posted.turn_id)
            case WorkflowTarget():
                begun = await self._workflows.start(_workflow(slot, target))
                return Started(workflow_id=begun.workflow_id)
            case _:
                assert_never(target)

    async def look(self, slots: Sequence[Slot]) -> Sequence[Ended | None]:
        """How running ones came out, in the order asked.

        One that nobody can tell of counts as at work, and holds up no other. Raises MainspringError
        where nobody can tell of any turn.
        """
        turns = [slot for slot in slots if slot.turn_id is not None]
        workflows = [slot for slot in slots if slot.turn_id is None]
        states = await self._turns.states([_turn(slot) for slot in turns]) if turns else ()
        room = asyncio.Semaphore(SLOT_CALLS_IN_AIR_MAX)
        outcomes = await asyncio.gather(*(self._outcome(slot, room) for slot in workflows))
        found = {slot.id: _ended(state) for slot, state in zip(turns, states, strict=True)}
        found |= {slot.id: end for slot, end in zip(workflows, outcomes, strict=True)}
        return [found[slot.id] for slot in slots]

    async def cancel(self, slot: Slot) -> None:
        """Asks a running one to end. Raises MainspringError."""
        if slot.turn_id is not None:
            await self._turns.cancel(CancelTurn(turn=_turn(slot), reason=_REASON))
        else:
            cancel = CancelWorkflow(
                org_id=slot.org_id, workflow_id=_known(slot.workflow_id), reason=_REASON
            )
            with suppress(NotFound):
                await self._workflows.cancel(cancel)

    async def _outcome(self, slot: Slot, room: asyncio.Semaphore) -> Ended | None:
        wanted = GetWorkflow(org_id=slot.org_id, workflow_id=_known(slot.workflow_id))
        try:
            async with room:
                view = await self._workflows.get(wanted)
        except NotFound as error:
            return Ended(outcome="cancelled", code=error.code)
        except MainspringError as error:
            _log.info("a slot's workflow cannot be told of: %s", error, extra=_named(slot))
            return None
        match view.status:
            case "running" | "waiting" | "held":
                return None
            case outcome:
                return Ended(outcome=outcome, code=view.flaw.code if view.flaw else None)


def _named(slot: Slot) -> dict[str, str]:
    return {"slot": str(slot.id), "workflow": str(slot.workflow_id)}


def _message(slot: Slot, name: str, target: MessageTarget) -> PostMessage:
    return PostMessage(
        org_id=slot.org_id,
        session_id=_known(slot.session_id),
        # One of a version before may have chosen a session of its own for another target.
        session=None if slot.session_id == target.session_id else target.session,
        message_id=_known(slot.message_id),
        message=target.message,
        metadata={
            "schedule_id": to_wire(Prefix.SCHEDULE, slot.schedule_id),
            "schedule_name": name,
            "scheduled_at": rfc3339(slot.slot_ms),
        },
    )


def _workflow(slot: Slot, target: WorkflowTarget) -> StartWorkflow:
    return StartWorkflow(
        org_id=slot.org_id,
        workflow_id=_known(slot.workflow_id),
        type=target.workflow_type,
        input=target.input,
        key=slot_key(slot),
        queue=target.queue,
    )


def _turn(slot: Slot) -> OneTurn:
    return OneTurn(
        org_id=slot.org_id, session_id=_known(slot.session_id), turn_id=_known(slot.turn_id)
    )


def _ended(state: TurnState) -> Ended | None:
    if state.outcome is None:
        return None
    return Ended(outcome=state.outcome, ended_ms=state.ended_ms, code=state.code)


def _known(id_: UUID | None) -> UUID:
    if id_ is None:
        message = "a slot was started without the ids of what it begins"
        raise MainspringError(message)
    return id_
