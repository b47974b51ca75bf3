"""What decisions may use besides the session, and the errors that say that it is not loaded."""

from collections.abc import Callable, Collection
from typing import Protocol
from uuid import UUID

from msgspec import Struct, field, structs

from mainspring_engine.domain.limits import SIGNALS_READ_BYTES_MAX
from mainspring_engine.domain.rows import OpenTask, SignalRow, Waiting
from mainspring_engine.domain.turn.agent import TurnAgent
from mainspring_engine.domain.turn.spending import Bounds
from mainspring_engine.domain.workflow.charts import Chart, NoRecall, Recall
from mainspring_kernel.draws import Draws
from mainspring_kernel.ids import Ids
from mainspring_schema.budgets import Subject


class AgentSource(Protocol):
    """Folded agents that are at hand."""

    def get(self, config_hash: bytes) -> TurnAgent | None: ...


class Missing(LookupError):
    """A decision needs something that is not loaded: load it and decide the round again."""


class AgentMissing(Missing):
    def __init__(self, config_hash: bytes) -> None:
        super().__init__(config_hash.hex())
        self.config_hash = config_hash


class StepMissing(Missing):
    """The results of steps, or whether there are any: all that are wanted now."""

    def __init__(self, workflow_id: UUID, *steps: str) -> None:
        super().__init__(f"{', '.join(steps)} of {workflow_id}")
        self.workflow_id = workflow_id
        self.steps = steps


class ChartMissing(Missing):
    def __init__(self, digest: bytes) -> None:
        super().__init__(digest.hex())
        self.digest = digest


class TasksMissing(Missing):
    def __init__(self, workflow_id: UUID) -> None:
        super().__init__(str(workflow_id))
        self.workflow_id = workflow_id


class WaitingMissing(Missing):
    def __init__(self, workflow_id: UUID) -> None:
        super().__init__(str(workflow_id))
        self.workflow_id = workflow_id


class SignalMissing(Missing):
    """What a signal says that lies there: it is too long to be read with all others."""

    def __init__(self, session_id: UUID, source: UUID, kind: str) -> None:
        super().__init__(f"{kind} of {source}")
        self.session_id = session_id
        self.source = source
        self.kind = kind


class BudgetsMissing(Missing):
    """The budgets of a session, of its agent and of its organization."""

    def __init__(self, subjects: tuple[Subject, ...]) -> None:
        super().__init__("budgets")
        self.subjects = subjects


class NotYet(Exception):
    """A decision is about tasks that this very plan adds: decide it once they are committed.

    Raised before anything was added for the intent, so what the plan holds so far can fly.
    """


def _nobody(_org_id: UUID) -> bool:
    return False


class Materials(Struct, kw_only=True):
    """`steps` and `said` live for one flight, other rows for a round: unlocked reads age at once.

    `trace_ratio` is the part of new traces that is recorded; it is decided once per turn.
    """

    agents: AgentSource
    ids: Ids
    draws: Draws
    trace_ratio: float
    steps: dict[tuple[UUID, str], bytes] = field(default_factory=dict)
    tasks: dict[UUID, tuple[OpenTask, ...]] = field(default_factory=dict)
    waiting: dict[UUID, Waiting] = field(default_factory=dict)
    said: dict[tuple[UUID, UUID, str], bytes] = field(default_factory=dict)
    unrecorded: set[tuple[UUID, str]] = field(default_factory=set)
    budgets: dict[tuple[Subject, ...], Bounds] = field(default_factory=dict)
    recall: Recall = field(default_factory=NoRecall)
    budgeted: Callable[[UUID], bool] = _nobody
    """Whether an organization has any budgets."""

    def agent(self, config_hash: bytes) -> TurnAgent:
        found = self.agents.get(config_hash)
        if found is None:
            raise AgentMissing(config_hash)
        return found

    def step(self, workflow_id: UUID, step: str) -> bytes:
        body = self.steps.get((workflow_id, step))
        if body is None:
            raise StepMissing(workflow_id, step)
        return body

    def chart(self, digest: bytes) -> Chart:
        found = self.recall.chart(digest)
        if found is None:
            raise ChartMissing(digest)
        return found

    def value(self, workflow_id: UUID, step: str) -> bytes:
        """The body of a step's record or result, of a declared workflow that goes on."""
        found = self.recall.value(workflow_id, step)
        return self.step(workflow_id, step) if found is None else found

    def recorded(self, workflow_id: UUID, steps: Collection[str]) -> dict[str, bytes]:
        """The bodies of those that are recorded. Raises StepMissing for all that are not read."""
        unread = [
            step
            for step in steps
            if (workflow_id, step) not in self.steps and (workflow_id, step) not in self.unrecorded
        ]
        if unread:
            raise StepMissing(workflow_id, *unread)
        bodies = ((step, self.steps.get((workflow_id, step))) for step in steps)
        return {step: body for step, body in bodies if body is not None}

    def open_tasks(self, workflow_id: UUID) -> tuple[OpenTask, ...]:
        tasks = self.tasks.get(workflow_id)
        if tasks is None:
            raise TasksMissing(workflow_id)
        return tasks

    def waiting_of(self, workflow_id: UUID) -> Waiting:
        waiting = self.waiting.get(workflow_id)
        if waiting is None:
            raise WaitingMissing(workflow_id)
        return waiting

    def body_of(self, session_id: UUID, signal: SignalRow) -> bytes:
        """What a signal says that lies there. Raises SignalMissing."""
        if signal.body is not None:
            return signal.body
        said = self.said.get((session_id, signal.source, signal.kind))
        if said is None:
            raise SignalMissing(session_id, signal.source, signal.kind)
        return said

    def unread(self, missing: SignalMissing) -> tuple[tuple[UUID, str], ...]:
        """Source and kind of what is to be read: that one, and others that may be taken with it."""
        found, left = [(missing.source, missing.kind)], SIGNALS_READ_BYTES_MAX
        for row in self.waiting_of(missing.session_id).signals:
            known = row.body is not None or (missing.session_id, row.source, row.kind) in self.said
            if row.kind != missing.kind or row.source == missing.source or known:
                continue
            left -= row.size
            if left < 0:
                break
            found.append((row.source, row.kind))
        return tuple(found)

    def bounds(self, agent: TurnAgent, session_id: UUID, org_id: UUID) -> Bounds:
        subjects = agent.subjects(session_id, org_id)
        found = self.budgets.get(subjects)
        if found is None:
            raise BudgetsMissing(subjects)
        return structs.replace(found, token_usd=agent.token_usd)

    def age(self) -> None:
        """A round is over: what was read without a lock is read anew."""
        self.tasks.clear()
        self.waiting.clear()
        self.unrecorded.clear()
        self.budgets.clear()
