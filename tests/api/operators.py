"""The engine's door for operators, with what a test puts behind it."""

from typing import TypeVar, cast
from uuid import UUID

import msgspec

from mainspring_kernel.errors import Conflict, MainspringError, NotFound, Unavailable
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema import asking
from mainspring_schema import operations as ops
from mainspring_schema.codec import pack
from mainspring_schema.configs import GetConfigs, KeptConfigs
from mainspring_schema.delivery import (
    EditMessage,
    GetDelivery,
    ListWaiting,
    ReorderMessages,
    WithdrawMessage,
)
from mainspring_schema.explaining import Explanation, Reason
from mainspring_schema.open_work import FindOpen, OpenWork
from mainspring_schema.plain import (
    CancelPlainTask,
    PlainTaskView,
    RequeuePlainTask,
    TaskReceipt,
    TaskRefusal,
)
from mainspring_schema.tasks import ToolTask
from mainspring_schema.toolsets import ListToolsets, Toolset, Toolsets
from mainspring_schema.workflows import Flaw
from tests.api.budgets_backend import FakeBudgets
from tests.api.deliveries_backend import FakeInbox

A = TypeVar("A")
TS = 1_763_800_000_000
TASK, WORKER, TURN, SESSION = (UUID(int=n << 80 | 7 << 76 | n) for n in range(1, 5))

TOOL = pack(
    ToolTask(
        turn_id=TURN,
        iteration=1,
        index=0,
        call_id="call_1",
        name="add",
        arguments={"a": 1},
        effect_class="idempotent",
        capability_id=None,
        idempotency_key="key",
        config_hash=b"c" * 32,
    )
)
OPEN = ops.TaskView(
    id=TASK,
    workflow_id=TURN,
    session_id=SESSION,
    step="tool:1:0",
    kind="tool",
    status="leased",
    effect="idempotent",
    queue="default",
    capability="",
    build="",
    model="",
    fence=2,
    due_ms=TS,
    claimed_ms=TS,
    lease_until_ms=TS + 10_000,
    worker_id=WORKER,
    worker_name="w",
)
ATTEMPT = ops.AttemptView(
    fence=1,
    worker_id=WORKER,
    worker_name="w",
    worker_build="b",
    claimed_ms=TS,
    closed_ms=TS + 5,
    acknowledged=True,
    started=False,
    closing="expired",
    error_code="broken",
    error_message="no disk",
)
ATTACHED = ops.WorkerView(
    id=WORKER,
    name="w",
    build="b",
    status="active",
    queues=("default",),
    capabilities=("", "maths"),
    slots=4,
    held=1,
    attached_ms=TS,
    silent_ms=None,
    drained_ms=None,
    left_ms=None,
    leaving=False,
)
LETTER = ops.LetterView(
    task_id=TASK,
    workflow_id=TURN,
    session_id=SESSION,
    step="tool:1:0",
    kind="tool",
    reason="poison",
    detail="the task lost its worker 3 times",
    died_ms=TS,
    status="open",
)
EXPLAINED = Explanation(
    subject="session",
    id=SESSION,
    session_id=SESSION,
    workflow_id=TURN,
    of_turn=True,
    state="reason",
    moving=False,
    summary="the model call waits for a worker",
    reasons=(
        Reason(
            code="no_worker",
            text="the model call waits for a worker",
            advice="Start one.",
            task_id=TASK,
            worker_id=WORKER,
            since_ms=TS,
        ),
    ),
)
HEALTH = ops.Health(
    at_ms=TS,
    queues=(
        ops.QueueHealth(
            queue="default",
            capability="",
            build="",
            model="m",
            ready=3,
            leased=1,
            delayed=0,
            waiting=0,
            oldest_ms=1500,
            slots=4,
            expected_wait_ms=None,
        ),
    ),
    workers=ops.WorkerCounts(active=1, silent=0, draining=0, slots=4, held=1),
    replicas=2,
    sweeps_ms={"timers": 500},
    dead_letters=0,
    cut=False,
    problems=(),
)


class FakeOperator:
    """Answers as an engine with one task and one worker; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.away = False
        self.task = OPEN
        self.worker = ATTACHED
        self.health = HEALTH
        self.payload = TOOL
        self.letter = LETTER
        self.budgets = FakeBudgets()
        self.inbox = FakeInbox()
        self.configs: dict[bytes, bytes] = {}
        self.toolsets: list[Toolset] = []
        self.open: set[UUID] | None = None
        """What has not ended; None: all that is asked for."""

    async def inspect(self, question: asking.Question[A]) -> A:
        return self._answered(question, self._inspected(ops.read_question(pack(question))))

    async def operate(self, order: asking.Order[A]) -> A:
        return self._answered(order, self._operated(ops.read_order(pack(order))))

    def _answered(self, asked: asking.Question[A] | asking.Order[A], answer: object) -> A:
        self.asked.append(asked)
        if self.away:
            detail = "the engine is away"
            raise Unavailable(detail, retry_after_s=2.0)
        if isinstance(answer, MainspringError):
            raise answer
        return msgspec.msgpack.decode(pack(answer), type=asking.answer_type(asked))

    def _inspected(self, asked: ops.AnyQuestion) -> object:
        match asked:
            case ops.ListTasks() | ops.GetTask() | FindOpen():
                return self._of_tasks(asked)
            case ops.ListWorkers():
                fits = asked.queue is None or asked.queue in self.worker.queues
                return ops.WorkerPage(workers=(self.worker,) if fits else (), next=None)
            case ops.GetWorker():
                return self.worker if asked.worker_id == WORKER else NotFound()
            case ops.GetHealth():
                return self.health
            case ops.Explain():
                known = asked.org_id == DEFAULT_ORG_ID and asked.id in (TASK, TURN, SESSION)
                found = msgspec.structs.replace(EXPLAINED, subject=asked.subject, id=asked.id)
                return found if known else NotFound()
            case ops.ListLetters() | ops.GetLetter():
                return self._of_letters(asked)
            case GetConfigs() | GetDelivery() | ListWaiting() | ListToolsets():
                return self._of_sessions(asked)
            case _:
                return self.budgets.answer(asked)

    def _of_sessions(self, asked: GetConfigs | GetDelivery | ListWaiting | ListToolsets) -> object:
        if isinstance(asked, ListToolsets):
            found = (one for one in self.toolsets if not asked.names or one.name in asked.names)
            return Toolsets(toolsets=tuple(found))
        if isinstance(asked, GetConfigs):
            known = {one: self.configs[one] for one in asked.hashes if one in self.configs}
            return KeptConfigs(bodies=known)
        return self.inbox.answer(asked)

    def _of_tasks(self, asked: ops.ListTasks | ops.GetTask | FindOpen) -> object:
        if isinstance(asked, FindOpen):
            open_ = asked.ids if self.open is None else self.open.intersection(asked.ids)
            return OpenWork(ids=tuple(open_))
        if isinstance(asked, ops.ListTasks):
            mine = asked.org_id == DEFAULT_ORG_ID
            return ops.TaskPage(tasks=(self.task,) if mine else (), next=TASK)
        known = (asked.org_id, asked.task_id) == (DEFAULT_ORG_ID, TASK)
        details = ops.TaskDetails(task=self.task, attempts=(ATTEMPT,), payload=self.payload)
        return details if known else NotFound()

    def _of_letters(self, asked: ops.ListLetters | ops.GetLetter) -> object:
        if isinstance(asked, ops.ListLetters):
            mine = asked.org_id == DEFAULT_ORG_ID
            return ops.LetterPage(letters=(self.letter,) if mine else (), next=TASK)
        known = (asked.org_id, asked.task_id) == (DEFAULT_ORG_ID, TASK)
        found = ops.LetterDetails(letter=self.letter, attempts=(ATTEMPT,), payload=self.payload)
        return found if known else NotFound()

    def _operated(self, order: ops.AnyOrder) -> object:
        match order:
            case ops.DrainWorker() | ops.ResumeWorker():
                return self._drained(order)
            case ops.ResolveLetter():
                return self._resolved(order)
            case ops.ResolveLetters():
                return ops.Resolved(
                    matched=2,
                    taken=0 if order.rehearsal else 2,
                    more=True,
                    last_due_ms=TS if order.action == "requeue" else None,
                    task_ids=(TASK,),
                )
            case CancelPlainTask() | RequeuePlainTask():
                return _of_plain(order)
            case EditMessage() | WithdrawMessage() | ReorderMessages():
                return self.inbox.carry_out(order)
            case _:
                return self.budgets.carry_out(order)

    def _drained(self, order: ops.DrainWorker | ops.ResumeWorker) -> object:
        if order.worker_id != WORKER:
            return NotFound()
        drained = TS if isinstance(order, ops.DrainWorker) else None
        status = "active" if drained is None else "draining"
        return msgspec.structs.replace(
            self.worker, drained_ms=drained, status=cast("ops.WorkerStatus", status)
        )

    def _resolved(self, order: ops.ResolveLetter) -> object:
        if (order.org_id, order.task_id) != (DEFAULT_ORG_ID, TASK):
            return NotFound()
        if self.letter.status != "open":
            return Conflict("it was dealt with before")
        requeue = order.action == "requeue"
        status = cast("ops.LetterStatus", "requeued" if requeue else "discarded")
        self.letter = msgspec.structs.replace(
            self.letter, status=status, requeued_as=SESSION if requeue else None
        )
        return self.letter


def _of_plain(order: CancelPlainTask | RequeuePlainTask) -> object:
    if (order.org_id, order.task_id) != (DEFAULT_ORG_ID, TASK):
        return NotFound()
    if isinstance(order, RequeuePlainTask):
        taken = TaskRefusal(code="task_id_mismatch") if order.new_id == TASK else None
        return TaskReceipt(task_id=order.new_id, refusal=taken)
    flaw = Flaw(code="cancelled", message=order.reason)
    return PlainTaskView(task_id=TASK, type="add", status="cancelled", flaw=flaw)
