"""What callers ask of users' workflows: start, signal, cancel, and how they stand."""

import asyncio
import re
from typing import Final

import msgspec

from mainspring_engine.domain.answers import Answer
from mainspring_engine.domain.checks import check_value
from mainspring_engine.domain.intents import (
    WorkflowCancelled,
    WorkflowSignalled,
    WorkflowStarted,
)
from mainspring_engine.domain.limits import FORK_STEPS_MAX
from mainspring_engine.domain.routes import given_in
from mainspring_engine.domain.rows import TaskState
from mainspring_engine.domain.workflow import state as states
from mainspring_engine.domain.workflow import waiting
from mainspring_engine.domain.workflow.charts import Chart
from mainspring_engine.domain.workflow.forking import kept
from mainspring_engine.domain.workflow.state import Course
from mainspring_engine.ports.store import Store
from mainspring_engine.ports.workflows import WorkflowFilter, WorkflowRow
from mainspring_engine.usecases import workflow_views as views
from mainspring_engine.usecases.backpressure import Backpressure
from mainspring_engine.usecases.courses import Courses
from mainspring_engine.usecases.histories import input_of
from mainspring_engine.usecases.lane import FutureTicket, Lanes
from mainspring_engine.usecases.queries import Queries
from mainspring_kernel.errors import (
    Conflict,
    IdempotencyMismatch,
    MainspringError,
    NotFound,
    PayloadTooLarge,
    ValidationFailed,
    WorkflowEnded,
    WorkflowKeyMismatch,
)
from mainspring_kernel.limits import (
    WORKFLOW_KEY_CHARS_MAX,
    WORKFLOW_VALUE_BYTES_MAX,
)
from mainspring_schema.keys import flaw_in, flaw_of_close_bound, flaw_of_name, flaw_of_start_bound
from mainspring_schema.workflows import (
    PLACE,
    CancelWorkflow,
    Fork,
    ForkWorkflow,
    GetWorkflow,
    ListWorkflows,
    QueryWorkflow,
    Signalled,
    SignalWorkflow,
    Started,
    StartWorkflow,
    WorkflowCancelReceipt,
    WorkflowPage,
    WorkflowView,
    fork_hash_of,
    generation_of,
    key_of,
)

_KEY: Final = re.compile(rf"[ -~]{{1,{WORKFLOW_KEY_CHARS_MAX}}}")


class Workflows:
    """Commands return after their commit. Each raises what refused it."""

    def __init__(
        self,
        lanes: Lanes,
        store: Store,
        pressure: Backpressure,
        queries: Queries,
        courses: Courses,
    ) -> None:
        self._courses = courses
        self._lanes = lanes
        self._queries = queries
        self._pressure = pressure
        self._store = store

    async def start(self, command: StartWorkflow) -> Started:
        """Raises WorkflowKeyMismatch where the key started another one, ValidationFailed.

        Raises TooManyRequests where too much waits already.
        """
        answer = await self._starting(command)
        assert isinstance(answer, Started)  # noqa: S101 - one type per command
        return answer

    async def start_many(
        self, commands: tuple[StartWorkflow, ...]
    ) -> tuple[Started | MainspringError, ...]:
        """Answers in order; a refused one does not touch the others. They ride together."""
        # Who leaves, leaves all of them: gather says so to each.
        asked = [self._started_or_refused(command) for command in commands]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        return tuple(_started(answer) for answer in answers)

    def _started_or_refused(self, command: StartWorkflow) -> asyncio.Future[Answer]:
        try:
            return self._starting(command)
        except MainspringError as error:
            refused = FutureTicket()
            refused.failed(error)
            return refused.future

    def _starting(self, command: StartWorkflow) -> asyncio.Future[Answer]:
        """The answer to come. Raises what refuses it at once."""
        check_name("type", command.type)
        check_name("queue", command.queue)
        check_build(command.build)
        check_keys(command.keys, command.circuit)
        refuse(flaw_of_start_bound(command.start_within_ms))
        refuse(flaw_of_close_bound(command.close_within_ms))
        if command.key is not None and _KEY.fullmatch(command.key) is None:
            detail = f"a key has 1 to {WORKFLOW_KEY_CHARS_MAX} printable ASCII characters"
            raise ValidationFailed(detail)
        check_arguments(command.input)
        if command.declaration is not None:
            self._courses.learn(command.declaration)
        self._pressure.check(command.org_id, command.queue)
        return self._lanes.asked(WorkflowStarted(command=command))

    async def fork(self, command: ForkWorkflow) -> Started:
        """A new workflow that begins with what another one recorded before a step.

        A repeat finds it, whatever the other one has come to since. Raises NotFound for the other
        one, Conflict where its records were removed or do not fit, ValidationFailed where it has no
        such step or too many, and what a start raises.
        """
        check_build(command.build)
        try:
            return await self._fork(command)
        except (Conflict, ValidationFailed, WorkflowKeyMismatch):
            known = await self._forked_before(command)
            if known is None:
                raise
            return known

    async def _forked_before(self, command: ForkWorkflow) -> Started | None:
        wanted = WorkflowFilter(org_id=command.org_id, key=key_of(command), limit=1)
        for row in await self._store.workflows.list(wanted):
            if states.decode(row.workflow).asked == fork_hash_of(command):
                return Started(workflow_id=row.workflow.id, duplicate=True)
        return None

    async def _fork(self, command: ForkWorkflow) -> Started:
        source = await self._store.workflows.get(command.org_id, command.source_id)
        if source is None:
            detail = "no such workflow"
            raise NotFound(detail)
        state = states.decode(source.workflow)
        declaration = command.declaration
        if state.course is not None:
            chart = await self._courses.get(state.course.declaration)
            fork = _fork_of_declared(command, state.course, chart)
            declaration = declaration or chart.raw
        elif declaration is not None:
            detail = "it is code, with which no declaration goes on"
            raise Conflict(detail)
        else:
            fork = _fork_of(command, source)
            await self._check_fork(fork)
        keys, circuit = given_in(state.keys)
        input_ = await input_of(self._store, fork.source_id, fork.generation)
        return await self.start(
            StartWorkflow(
                org_id=command.org_id,
                workflow_id=command.workflow_id,
                type=source.type,
                input=input_,
                key=command.key,
                queue=command.queue or source.queue,
                traceparent=command.traceparent,
                fork=fork,
                declaration=declaration,
                build=command.build,
                keys=keys,
                circuit=circuit,
            )
        )

    async def _check_fork(self, fork: Fork) -> None:
        extent = await self._store.workflows.fork_extent(
            fork.source_id, bound=fork.bound, limit=FORK_STEPS_MAX + 1
        )
        if fork.before is not None and not extent.recorded:
            detail = f"no step is recorded, or kept any more, at the place {fork.before}"
            raise ValidationFailed(detail)
        if extent.steps > FORK_STEPS_MAX:
            detail = f"more than {FORK_STEPS_MAX} steps stand before it"
            raise ValidationFailed(detail)

    async def signal(self, command: SignalWorkflow) -> Signalled:
        """A repeat is answered as such, also where the first ended the workflow.

        Raises NotFound, WorkflowEnded where nothing would ever take it, IdempotencyMismatch where
        its id came before with another payload.
        """
        check_name("signal", command.name)
        check_input("the payload", command.payload)
        try:
            answer = await self._lanes.ask(WorkflowSignalled(command=command))
        except WorkflowEnded:
            if await self._came_before(command):
                return Signalled(duplicate=True)
            raise
        assert isinstance(answer, Signalled)  # noqa: S101 - one type per command
        if answer.duplicate:
            await self._came_before(command)
        return answer

    async def _came_before(self, command: SignalWorkflow) -> bool:
        """Raises IdempotencyMismatch where it said another thing then."""
        kind = waiting.kind_of(command.name)
        said = await self._store.workflows.signal_body(
            command.workflow_id, command.signal_id, kind=kind
        )
        if said not in (None, command.payload):
            detail = "this signal's id came before with another payload"
            raise IdempotencyMismatch(detail)
        return said is not None

    async def cancel(self, command: CancelWorkflow) -> WorkflowCancelReceipt:
        """Raises NotFound."""
        answer = await self._lanes.ask(WorkflowCancelled(command=command))
        assert isinstance(answer, WorkflowCancelReceipt)  # noqa: S101 - one type per command
        return answer

    async def get(self, command: GetWorkflow) -> WorkflowView:
        """Raises NotFound."""
        row = await self._store.workflows.get(command.org_id, command.workflow_id)
        if row is None:
            detail = "no such workflow"
            raise NotFound(detail)
        view = views.view_of(row)
        if command.explain and view.status == "running":
            explanation = await self._explain(row)
            return msgspec.structs.replace(view, explanation=explanation)
        return view

    async def query(self, command: QueryWorkflow) -> bytes:
        """What its code answers, as JSON. Raises what `Queries.ask` raises."""
        check_name("query", command.name)
        check_input("the arguments", command.arguments)
        return await self._queries.ask(command)

    async def list(self, command: ListWorkflows) -> WorkflowPage:
        return await views.listed(self._store.workflows, command)

    async def _explain(self, row: WorkflowRow) -> str:
        """Why one that runs may not move."""
        id_ = row.workflow.id
        tasks = (await self._store.open_tasks((id_,))).get(id_, ())
        if any(task.state is TaskState.READY for task in tasks):
            if states.decode(row.workflow).course is not None:
                return "a step of it waits for a worker that offers it"
            build = states.decode(row.workflow).build
            of_build = f" of build {build}" if build else ""
            knowing = f"on queue {row.queue} that knows the workflow {row.type}"
            return f"waits for a worker{of_build} {knowing}"
        if any(task.state is TaskState.DELAYED for task in tasks):
            return "waits for its next attempt"
        return ""


def _started(answer: Answer | BaseException) -> Started | MainspringError:
    if isinstance(answer, BaseException) and not isinstance(answer, MainspringError):
        raise answer
    assert isinstance(answer, Started | MainspringError)  # noqa: S101 - one type per command
    return answer


def _fork_of(command: ForkWorkflow, source: WorkflowRow) -> Fork:
    """Within the generation of its step, or within the newest. Raises ValidationFailed."""
    step = command.step
    if step is None:
        generation = states.decode(source.workflow).generation
    elif PLACE.fullmatch(step) is None:
        detail = 'a step is named by its place, such as "3", "2/1" or "a1~3"'
        raise ValidationFailed(detail)
    else:
        generation = generation_of(step)
    return Fork(
        source_id=command.source_id, before=step, generation=generation, asked=fork_hash_of(command)
    )


def _fork_of_declared(command: ForkWorkflow, course: Course, chart: Chart) -> Fork:
    """Raises ValidationFailed."""
    step, steps = command.step, len(chart.declaration.steps)
    if step is not None and step not in map(str, range(1, steps + 1)):
        detail = f"a step of this workflow is named by its number, 1 to {steps}"
        raise ValidationFailed(detail)
    return Fork(
        source_id=command.source_id,
        before=step,
        declaration=course.declaration,
        kept=kept(course, None if step is None else int(step)),
        asked=fork_hash_of(command),
    )


def refuse(flaw: str | None) -> None:
    """Raises ValidationFailed where there is one."""
    if flaw is not None:
        raise ValidationFailed(flaw)


def check_name(what: str, name: str) -> None:
    refuse(flaw_of_name(what, name))


def check_build(build: str) -> None:
    """A worker's build is any text; one that is asked for must be a key.

    Raises ValidationFailed.
    """
    if build and _KEY.fullmatch(build) is None:
        detail = f"a build has 1 to {WORKFLOW_KEY_CHARS_MAX} printable ASCII characters"
        raise ValidationFailed(detail)


def check_keys(keys: tuple[str, ...], circuit: str) -> None:
    """What they put a task under is known when it is to be claimed."""
    refuse(flaw_in(keys, circuit))


def check_arguments(raw: bytes) -> None:
    """Raises ValidationFailed, PayloadTooLarge."""
    check_input("the input", raw)
    if raw.lstrip()[:1] not in (b"[", b"{"):
        detail = "the input is an array of arguments, or an object of named ones"
        raise ValidationFailed(detail)


def check_input(what: str, raw: bytes) -> None:
    """Raises ValidationFailed for what is no JSON, PayloadTooLarge; `what` names it in both."""
    if len(raw) > WORKFLOW_VALUE_BYTES_MAX:
        raise PayloadTooLarge(what, WORKFLOW_VALUE_BYTES_MAX)
    try:
        check_value(raw)
    except msgspec.DecodeError as error:
        detail = f"{what} is not JSON: {error}"
        raise ValidationFailed(detail) from error
