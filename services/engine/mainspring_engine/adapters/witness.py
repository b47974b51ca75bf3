"""Telemetry of commits: spans with ids that follow from the rows, log lines, and the listeners.

The engine records the spans of turns and attempts, once they are committed. So the spans that
workers and event stores recorded under them have a parent, even if those were killed.
"""

from typing import Final
from uuid import UUID

from mainspring_engine.adapters import turn_log
from mainspring_engine.domain.changes import Changes, WorkflowChange
from mainspring_engine.domain.rows import Closing, Outcome
from mainspring_engine.domain.turn.agent import TurnAgent
from mainspring_engine.domain.workflow.state import decode_state
from mainspring_engine.ports.outside import AttemptEnd, TurnEnd
from mainspring_engine.ports.store import Closed
from mainspring_engine.usecases.agents import Agents
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_kernel.tracing import TraceContext, span_id_for
from mainspring_runtime import names
from mainspring_runtime.listeners import CommittedEvent, Listeners
from mainspring_runtime.spans import SpanRecord, SpanStatus
from mainspring_runtime.telemetry import Telemetry
from mainspring_schema.events import StoredEvent
from mainspring_schema.frames import Verdict

_NS_PER_MS: Final = 1_000_000
_GOOD: Final = frozenset({Closing.RESULT, Closing.RETURNED, Closing.UNDELIVERED})


class TelemetryWitness:
    """A trace that is not sampled costs next to nothing."""

    def __init__(self, telemetry: Telemetry, listeners: Listeners, agents: Agents) -> None:
        self._telemetry = telemetry
        self._listeners = listeners
        self._agents = agents

    def committed(self, changes: Changes, closed: tuple[Closed, ...], now_ms: int) -> None:
        if changes.events:
            self._listeners.publish(_events(changes))
        for change in changes.workflows:
            if change.outcome is not Outcome.RUNNING:
                turn_log.turn_ended(changes, change)
                self.turn_again(_end_of(changes, change, now_ms))
        if closed:
            self._attempts(changes, closed, now_ms)

    def attempt_ended(self, end: AttemptEnd) -> None:
        turn_log.attempt_ended(end)
        self.attempt_again(end)

    def attempt_again(self, end: AttemptEnd) -> None:
        trace = TraceContext.parse(end.traceparent)
        if trace is None or not trace.sampled or not end.claimed_ms:
            return
        held = end.held
        span = SpanRecord(
            name=names.SPAN_ATTEMPT,
            context=trace.under(span_id_for(held.task_id, held.fence)),
            parent_span_id=trace.span_id,
            start_ns=end.claimed_ms * _NS_PER_MS,
            end_ns=end.ended_ms * _NS_PER_MS,
            attributes={
                **_of_attempt(end),
                names.TASK_ID: to_wire(Prefix.TASK, held.task_id),
                names.LEASE_FENCE: held.fence,
                names.STEP_OUTCOME: end.closing.name.lower(),
            },
            status=SpanStatus.UNSET if end.closing in _GOOD else SpanStatus.ERROR,
        )
        self._telemetry.record(span)

    def _attempts(self, changes: Changes, closed: tuple[Closed, ...], now_ms: int) -> None:
        # Attempts belong to the workflow that was there before; a next turn has none yet.
        owner = next((w for w in changes.workflows if w.expected_rev > 0), None)
        if owner is None:
            return
        for close, ended in zip(changes.closes, closed, strict=True):
            if ended.verdict is Verdict.COMMITTED:
                self.attempt_ended(
                    AttemptEnd(
                        held=ended.held,
                        session_id=changes.after.session_id,
                        workflow_id=owner.id,
                        traceparent=owner.traceparent,
                        closing=close.closing,
                        claimed_ms=ended.claimed_ms,
                        ended_ms=now_ms,
                    )
                )

    def turn_again(self, end: TurnEnd) -> None:
        trace = TraceContext.parse(end.traceparent)
        if trace is None or not trace.sampled:
            return
        name, attributes = self._told_of(end)
        failed = end.outcome in (Outcome.FAILED, Outcome.SEALED)
        span = SpanRecord(
            name=name,
            context=trace,
            parent_span_id=None,
            start_ns=end.started_ms * _NS_PER_MS,
            end_ns=end.ended_ms * _NS_PER_MS,
            attributes=attributes,
            status=SpanStatus.ERROR if failed else SpanStatus.UNSET,
        )
        self._telemetry.record(span)

    def _told_of(self, end: TurnEnd) -> tuple[str, dict[str, names.Attribute]]:
        """The name of its span, and what that says."""
        if end.workflow_id == end.session_id:
            return names.workflow_span(end.workflow_type), _workflow_attributes(end)
        agent = self._agents.get(end.config_hash)
        name = names.agent_span(None if agent is None else agent.agent_name)
        return name, _turn_attributes(end, agent)


def _of_attempt(end: AttemptEnd) -> dict[str, names.Attribute]:
    """A plain task has neither session nor turn."""
    is_plain = end.workflow_id == end.held.task_id
    return {} if is_plain else _belonging(end.session_id, end.workflow_id)


def _belonging(session_id: UUID, workflow_id: UUID) -> dict[str, names.Attribute]:
    """A workflow is a session of its own, by which its trace is found."""
    told: dict[str, names.Attribute] = {names.CONVERSATION_ID: to_wire(Prefix.SESSION, session_id)}
    if session_id == workflow_id:
        return {**told, names.WORKFLOW_ID: to_wire(Prefix.WORKFLOW, workflow_id)}
    return {**told, names.TURN_ID: to_wire(Prefix.TURN, workflow_id)}


def _end_of(changes: Changes, change: WorkflowChange, now_ms: int) -> TurnEnd:
    return TurnEnd(
        org_id=changes.after.org_id,
        session_id=changes.after.session_id,
        workflow_id=change.id,
        outcome=change.outcome,
        config_hash=change.config_hash,
        traceparent=change.traceparent,
        started_ms=change.started_ms,
        ended_ms=now_ms,
        workflow_type="" if change.config_hash else decode_state(change.state).type,
    )


def _workflow_attributes(end: TurnEnd) -> dict[str, names.Attribute]:
    return {
        **_belonging(end.session_id, end.workflow_id),
        names.ORG_ID: to_wire(Prefix.ORG, end.org_id),
        names.WORKFLOW_TYPE: end.workflow_type,
        names.WORKFLOW_OUTCOME: end.outcome.name.lower(),
    }


def _turn_attributes(end: TurnEnd, agent: TurnAgent | None) -> dict[str, names.Attribute]:
    attributes: dict[str, names.Attribute] = {
        names.OPERATION_NAME: names.OPERATION_AGENT,
        **_belonging(end.session_id, end.workflow_id),
        names.ORG_ID: to_wire(Prefix.ORG, end.org_id),
        names.TURN_OUTCOME: end.outcome.name.lower(),
    }
    if agent is not None:
        attributes[names.PROVIDER_NAME] = agent.provider
        attributes[names.REQUEST_MODEL] = agent.model.model
        if agent.agent_name is not None:
            attributes[names.AGENT_NAME] = agent.agent_name
    return attributes


def _events(changes: Changes) -> list[CommittedEvent]:
    return [
        CommittedEvent(
            org_id=changes.after.org_id,
            session_id=changes.after.session_id,
            event=StoredEvent(
                seq=event.seq, type=event.type, ts_ms=event.ts_ms, payload=event.payload
            ),
        )
        for event in changes.events
    ]
