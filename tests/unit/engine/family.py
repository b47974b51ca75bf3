"""Desks of sessions above and below one another, and a courier between them."""

from uuid import UUID

import msgspec

from mainspring_engine.domain import intents
from mainspring_engine.domain.answers import Answer
from mainspring_engine.domain.changes import NewSignal
from mainspring_engine.domain.plan import Plan
from mainspring_engine.domain.rows import OpenTask, SignalRow, TaskState, Waiting
from mainspring_engine.domain.turn import links
from mainspring_kernel.ids import DEFAULT_ORG_ID, Prefix, SeededIds, to_wire
from mainspring_schema import commands
from mainspring_schema.frames import Verdict
from mainspring_schema.lineage import ChildTurn, SpawnedBy
from mainspring_schema.messages import Message, TextPart
from mainspring_schema.tasks import ReasonResult, ToolCall, ToolResult
from tests.unit.engine.desk import AGENT, CONFIG, Desk, OneAgent

SPAWNING = msgspec.structs.replace(AGENT, spawns=True)


class Relative(Desk):
    """A session that may have a parent and children. `sent` has what it tells others."""

    def __init__(self, seed: int = 7) -> None:
        super().__init__(SPAWNING)
        self.ids = SeededIds(self.clock, seed=seed)
        self.materials.ids = self.ids
        head = msgspec.structs.replace(self.head, session_id=self.ids.uuid7())
        self.session_id = head.session_id
        self.view = msgspec.structs.replace(self.view, head=head)
        self.signals: dict[tuple[UUID, str], SignalRow] = {}
        self.sent: list[NewSignal] = []
        self.is_read = True

    def spawn(self) -> OpenTask:
        """Asked to, the model spawns; the call's task."""
        self.say("Have it done.")
        id_ = f"call_{self.turn_id.hex[:20]}_{self.state.iteration}_0"
        call = ToolCall(id=id_, name="spawn_agent", arguments={"n": 0}, effect_class="idempotent")
        self.answer(ReasonResult(tool_calls=(call,)))
        (task,) = self.tasks.values()
        return task

    def told(self, parent: "Relative", *, wakes: str | None = None) -> None:
        """Its parent gives it something to do; its end wakes the parent where that has a name."""
        message_id = self.ids.uuid4()
        message = Message(
            id=to_wire(Prefix.MESSAGE, message_id),
            role="user",
            content=(TextPart(text="Look."),),
            created_at="",
        )
        command = commands.Submit(
            org_id=DEFAULT_ORG_ID,
            session_id=self.session_id,
            message_id=message_id,
            message=message,
            mode="steer",
            config_hash=CONFIG,
            spawned_by=SpawnedBy(session_id=parent.session_id, turn_id=parent.turn_id, wakes=wakes),
        )
        self.do(intents.Submitted(command=command))

    def gives_back(self, task: OpenTask, child_turn: UUID, wait_ms: int = 60_000) -> Answer:
        """The worker waits no more for the child, the call does."""
        joins = ChildTurn(turn_id=child_turn, wait_ms=wait_ms)
        return self.answer(ToolResult(status="success", result="running", joins=joins), task)

    def claimed(self, task: OpenTask) -> OpenTask:
        """Given out again."""
        return self.change_task(task, state=TaskState.LEASED, fence=task.fence + 1)

    def hears(self, sender: "Relative") -> list[Answer]:
        """All that the other one has told it and it has not heard yet, in their order."""
        return [self.do(news) for news in self.receives(sender)]

    def receives(self, sender: "Relative") -> list[intents.SignalCame]:
        """The same where it lies there, and is not taken yet."""
        came = [signal for signal in sender.sent if signal.to == self.session_id]
        for signal in came:
            sender.sent.remove(signal)
            self.signals[signal.source, signal.kind] = SignalRow(
                source=signal.source, kind=signal.kind, body=signal.body
            )
        return [self.news(signal.source, signal.kind) for signal in came]

    def news(self, source: UUID, kind: str) -> intents.SignalCame:
        return intents.SignalCame(
            session_id=self.session_id, org_id=DEFAULT_ORG_ID, source=source, kind=kind
        )

    def due(self, kind: str) -> Answer:
        """The turn's timer."""
        timer_id = self.state.timer_id
        assert timer_id is not None
        due = intents.TimerDue(
            session_id=self.session_id,
            org_id=DEFAULT_ORG_ID,
            workflow_id=self.turn_id,
            timer_id=timer_id,
            kind=kind,
        )
        return self.do(due)

    def without_children(self) -> None:
        """Its agent cannot spawn, and nobody has read what lies there."""
        self.materials.agents = OneAgent(AGENT)
        self.is_read = False

    @property
    def links(self) -> list[UUID]:
        """The children's turns that are at work, as far as it has heard."""
        return [source for source, kind in self.signals if kind == links.LINK]

    def _do(self, org_id: UUID, *together: intents.Intent) -> list[Answer]:
        if self.is_read:
            rows = tuple(self.signals.values())
            self.materials.waiting[self.session_id] = Waiting(signals=rows)
        return super()._do(org_id, *together)

    def _apply(self, plan: Plan) -> None:
        super()._apply(plan)
        changes = plan.changes()
        for take in changes.taken_signals:
            del self.signals[take.source, take.kind]
        for signal in changes.signals:
            if signal.to is not None:
                self.sent.append(signal)
            elif not signal.taken:
                self.signals[signal.source, signal.kind] = SignalRow(
                    source=signal.source, kind=signal.kind, body=signal.body
                )


class Family:
    """A parent whose call has spawned a child that is at work, and that both have heard of."""

    def __init__(self, *, joined: bool = True) -> None:
        self.parent, self.child = Relative(), Relative(seed=8)
        self.call = self.parent.spawn()
        self.child.told(self.parent)
        assert self.parent.hears(self.child) == [Verdict.COMMITTED]
        if joined:
            self.parent.gives_back(self.call, self.child.turn_id)

    @property
    def task(self) -> OpenTask:
        """The call's."""
        return self.parent.tasks[self.call.id]
