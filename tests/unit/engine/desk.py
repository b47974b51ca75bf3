"""A session on a desk: decisions are applied to a view in memory, with no store and no time."""

from uuid import UUID

import msgspec

from mainspring_engine.domain import intents
from mainspring_engine.domain.answers import Answer
from mainspring_engine.domain.changes import Changes, CloseTask
from mainspring_engine.domain.decide import decide
from mainspring_engine.domain.materials import Materials
from mainspring_engine.domain.plan import Plan
from mainspring_engine.domain.rows import (
    Effect,
    Head,
    OpenTask,
    TaskKind,
    TaskState,
    View,
)
from mainspring_engine.domain.turn import state as states
from mainspring_engine.domain.turn.agent import TurnAgent
from mainspring_engine.domain.turn.state import TurnState
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.draws import SeededDraws
from mainspring_kernel.ids import DEFAULT_ORG_ID, Prefix, SeededIds, to_wire
from mainspring_schema import commands
from mainspring_schema.codec import pack
from mainspring_schema.events import ModelMetadata, decode_payload
from mainspring_schema.frames import Held
from mainspring_schema.grants import SessionStatus
from mainspring_schema.messages import Message, TextPart, ToolCallPart
from mainspring_schema.tasks import ReasonResult, TaskResult, ToolCall, ToolResult

CONFIG = b"c" * 32
AGENT = TurnAgent(
    config_hash=CONFIG,
    harness_id="harness_" + "1" * 32,
    agent_id="agent_" + "2" * 32,
    agent_name="helper",
    agent_description=None,
    model=ModelMetadata(model="llmsim"),
    provider="llmsim",
    model_route="llmsim/llmsim",
    max_iterations=5,
)


class OneAgent:
    def __init__(self, agent: TurnAgent) -> None:
        self._agent = agent

    def get(self, config_hash: bytes) -> TurnAgent | None:
        return self._agent if config_hash == self._agent.config_hash else None


class Desk:
    """Keeps what a store would: the view, open tasks, step results, all events."""

    def __init__(self, agent: TurnAgent = AGENT) -> None:
        self.clock = ManualClock()
        self.ids = SeededIds(self.clock, seed=7)
        self.session_id = self.ids.uuid7()
        head = Head(
            session_id=self.session_id,
            org_id=DEFAULT_ORG_ID,
            last_seq=1,
            hash=b"h" * 32,
            ts_ms=self.clock.wall_ms(),
            status=SessionStatus.STARTED,
        )
        self.view = View(head=head, workflow=None)
        self.materials = Materials(
            agents=OneAgent(agent), ids=self.ids, draws=SeededDraws(3), trace_ratio=1.0
        )
        self.types: list[str] = []
        self.data: list[tuple[str, dict[str, object]]] = []
        self.tasks: dict[UUID, OpenTask] = {}
        self.steps: dict[UUID, str] = {}
        self.last: Changes | None = None

    # ── what happens ────────────────────────────────────────────────────────────────────────────

    def do(self, intent: intents.Intent) -> Answer:
        return self.do_as(DEFAULT_ORG_ID, intent)

    def do_all(self, *together: intents.Intent) -> list[Answer]:
        """Several in one flight."""
        return self._do(DEFAULT_ORG_ID, *together)

    def do_as(self, org_id: UUID, intent: intents.Intent) -> Answer:
        return self._do(org_id, intent)[0]

    def _do(self, org_id: UUID, *together: intents.Intent) -> list[Answer]:
        view = self.view
        assert view.head is not None
        workflow = view.workflow
        if workflow is not None:
            self.materials.tasks[workflow.id] = tuple(self.tasks.values())
        plan = Plan(view, org_id=org_id, now_ms=self.clock.wall_ms())
        answers = [decide(plan, intent, self.materials) for intent in together]
        self._apply(plan)
        return answers

    def say(self, text: str, *, key: str | None = None) -> commands.Receipt:
        answer = self.do(self.said(text, key=key))
        assert isinstance(answer, commands.Receipt)
        return answer

    def said(self, text: str, *, key: str | None = None) -> intents.Submitted:
        """A person's message."""
        message_id = self.ids.uuid4()
        message = Message(
            id=to_wire(Prefix.MESSAGE, message_id),
            role="user",
            content=(TextPart(text=text),),
            created_at="",
        )
        command = commands.Submit(
            org_id=DEFAULT_ORG_ID,
            session_id=self.session_id,
            message_id=message_id,
            message=message,
            mode="steer",
            config_hash=CONFIG,
            idempotency_key=key,
        )
        return intents.Submitted(command=command)

    def answer(self, result: TaskResult, task: OpenTask | None = None) -> Answer:
        """A worker brings a result, of the only open task where none is named."""
        if task is None:
            (task,) = self.tasks.values()
        return self.do(self.answered(result, task))

    def answered(self, result: TaskResult, task: OpenTask) -> intents.Answered:
        return intents.Answered(
            session_id=self.session_id,
            org_id=DEFAULT_ORG_ID,
            held=Held(task.id, task.fence),
            hash=b"r" * 32,
            body=pack(result),
            result=result,
        )

    def reply(self, text: str) -> Answer:
        return self.answer(ReasonResult(text=text))

    def call(
        self, *names: str, client: tuple[str, ...] = (), probed: tuple[str, ...] = ()
    ) -> Answer:
        state = self.state
        calls = tuple(
            ToolCall(
                id=f"call_{self.turn_id.hex[:20]}_{state.iteration}_{index}",
                name=name,
                arguments={"n": index},
                client_side=name in client,
                effect_class="verifiable" if name in probed else "pure",
                probed=name in probed,
            )
            for index, name in enumerate(names)
        )
        return self.answer(ReasonResult(tool_calls=calls))

    def tool_done(self, task: OpenTask | None = None, result: object = "ok") -> Answer:
        return self.answer(ToolResult(status="success", result=result), task)

    def cancel(self, reason: str | None = None) -> Answer:
        command = commands.Cancel(org_id=DEFAULT_ORG_ID, session_id=self.session_id, reason=reason)
        return self.do(intents.Cancelled(command=command))

    def died(self, task: OpenTask) -> Answer:
        return self.do(self.dead(task))

    def dead(self, task: OpenTask) -> intents.Died:
        return intents.Died(
            session_id=self.session_id,
            org_id=DEFAULT_ORG_ID,
            workflow_id=self.turn_id,
            task=task,
        )

    def change_task(self, task: OpenTask, **fields: object) -> OpenTask:
        changed = msgspec.structs.replace(task, **fields)
        self.tasks[task.id] = changed
        return changed

    # ── what is so ──────────────────────────────────────────────────────────────────────────────

    @property
    def head(self) -> Head:
        assert self.view.head is not None
        return self.view.head

    @property
    def turn_id(self) -> UUID:
        assert self.view.workflow is not None
        return self.view.workflow.id

    @property
    def state(self) -> TurnState:
        assert self.view.workflow is not None
        return states.decode(self.view.workflow)

    def open(self, kind: TaskKind) -> list[OpenTask]:
        return [task for task in self.tasks.values() if task.kind is kind]

    def data_of(self, type_: str) -> list[dict[str, object]]:
        return [data for name, data in self.data if name == type_]

    def requested(self) -> tuple[ToolCallPart, ...]:
        """The calls that the client was told of last."""
        data = self.data_of("tool.call_requested")[-1]
        return msgspec.convert(data["tool_calls"], tuple[ToolCallPart, ...])

    def _apply(self, plan: Plan) -> None:
        changes = plan.changes()
        self.last = changes
        assert [event.seq for event in changes.events] == list(
            range(changes.expected.last_seq + 1, changes.after.last_seq + 1)
        )
        for event in changes.events:
            self.types.append(event.type)
            raw = decode_payload(event.payload)
            self.data.append((event.type, msgspec.json.decode(raw.data)))
        for mark in changes.marks:
            self.change_task(self.tasks[mark.task_id], cancelling=True)
        for close in changes.closes:
            self._close(close)
        for result in changes.results:
            self.materials.steps[(result.workflow_id, result.step)] = result.body
        for new in changes.tasks:
            self.tasks[new.id] = OpenTask(
                id=new.id,
                kind=new.kind,
                state=TaskState.LEASED,
                fence=1,
                effect=Effect(new.effect),
                started=False,
                cancelling=False,
                deaths=0,
                failures=0,
                uncounted=0,
            )
            self.steps[new.id] = new.step
        self.view = plan.view()

    def _close(self, close: CloseTask) -> None:
        task = self.tasks.get(close.task_id)
        if task is None:
            return
        if close.delay_ms is None:
            del self.tasks[close.task_id]
            return
        self.change_task(
            task,
            state=TaskState.DELAYED,
            failures=task.failures + close.counts_failure,
            deaths=task.deaths + close.counts_death,
        )
