"""One go at a workflow: its code from the start, with what is recorded in place of what was done.

It ends when the code ends, when all of it waits, or when it meets a record that does not fit.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import NoReturn, TypeVar

from mainspring.alone import watch
from mainspring.attempting import attempt_step
from mainspring.branches import Branches, arm
from mainspring.computing import Processes
from mainspring.ending import deaf_to, end_of, left, mismatch_of, unless_passed_over
from mainspring.errors import StepFailed, Unserializable
from mainspring.given import Given
from mainspring.heartbeats import Beats, Course, Unheard
from mainspring.keeping import Keeping
from mainspring.limits import LEFT_RAISES_MAX, UNWIND_S
from mainspring.place import Scope, current_scope, enter
from mainspring.recording import Callee, Recording
from mainspring.saying import said
from mainspring.standing import Standing
from mainspring.succession import Succession
from mainspring.surroundings import Code, Engine, Working
from mainspring.unclaimed import Unclaimed
from mainspring.values import encode, hash_of
from mainspring_kernel.draws import Draws
from mainspring_kernel.limits import WORKFLOW_VALUE_INLINE_BYTES_MAX
from mainspring_schema.tasks import WorkflowResult
from mainspring_schema.workflows import (
    CANCEL_STEP,
    FOUND,
    INPUT_STEP,
    ChildStart,
    Flaw,
    Mismatch,
    StepKind,
    StepRecord,
    Wait,
    generation_of,
    prefix_of,
)
from mainspring_workstream.exits import contained

T = TypeVar("T")


class Go(Recording):
    """Lives on the loop of the user's code. `run` once.

    Or, for a workflow whose code stays where it waits, in these phases:

    - `begin`: a first passage of the code, which ends as `run` does;
    - where it `rests` then, `go_on` with what has come meanwhile: the next passage, and so on;
    - `unwind` in the end, whatever happened.

    With `replay_only` no step is called: what is not recorded is waited for. `recorded` begins with
    the input, of one generation. `at_rest` is called when the code stands or has ended, at once.
    """

    _raises = 0
    _scope: "Scope[object] | None" = None
    _heard = False
    """Whether its code was told of its cancel."""

    def __init__(  # noqa: PLR0913 - one named option each
        self,
        workflow: Code,
        recorded: Mapping[str, StepRecord],
        engine: Engine,
        *,
        draws: Draws,
        processes: Processes | None = None,
        beats: Beats | None = None,
        replay_only: bool = False,
        at_rest: Callable[[], None] | None = None,
    ) -> None:
        self.visited: set[str] = set()  # places whose record the code came to
        self._reached: set[str] = set()  # and those where it called something that has none
        self.handlers: dict[str, Callable[..., object]] = {}
        self._replay_only = replay_only
        self._at_rest = at_rest
        self._prefix = prefix_of(generation_of(next(iter(recorded), INPUT_STEP)))
        self._workflow = workflow
        self._recorded = dict(recorded)
        """What the code has not come to yet."""
        self._engine = engine
        self._draws = draws
        self._processes = processes
        self._beats = beats or Unheard()
        self._keeping = Keeping(
            engine, workflow, goes=lambda: self._goes, moved=self._moved, failed=self._fail
        )
        self._succession = Succession(recorded.values(), self._moved)
        self._unclaimed = Unclaimed(self._recorded, self._succession.again)
        self._open = Branches()
        self._standing = Standing(
            self._open, keeping=self._keeping, succession=self._succession, goes=lambda: self._goes,
            rest=self._stand, ask=self._ask, news=self.news,
            replay_only=replay_only,
        )  # fmt: skip
        self._standing.found = sum(record.kind in FOUND for record in recorded.values())
        self._end: asyncio.Future[Mismatch | bytes | None] | None = None
        self._main: asyncio.Task[object] | None = None
        self._hearing: asyncio.Task[None] | None = None

    async def run(self) -> WorkflowResult:
        """How it ended. Raises what the engine raised where the task was lost."""
        try:
            return await self.begin()
        finally:
            await self.unwind()

    async def begin(self) -> WorkflowResult:
        """As `run`, but leaves the code where it stands."""
        try:
            given = self._recorded[self._prefix + INPUT_STEP].result
            args, kwargs = self._workflow.shape.arguments(given)
        except ValueError as error:
            flaw = Flaw(code="invalid_input", message=said(error))
            return self._unless_other(WorkflowResult(outcome="failed", flaw=flaw))
        cancel = self._prefix + CANCEL_STEP
        if cancel in self._recorded and not self._workflow.compensates:
            return deaf_to(cancel)
        loop = asyncio.get_running_loop()
        watch(loop)
        self._end = loop.create_future()
        if self._workflow.compensates:
            self.branches()  # its cancel comes beside whatever else it waits for
            self._reached.add(cancel)
            if cancel not in self._recorded and not self._replay_only:
                await self._standing.listen(cancel)  # it begins once its cancel would be heard
        self._main = asyncio.create_task(self._code(args, kwargs))
        self._main.add_done_callback(lambda it: it.cancelled() or it.exception())  # nobody may ask
        if cancel in self._reached:
            self._hearing = asyncio.create_task(self._hear(cancel, self._main))
        return await self._passage(self._main, self._end)

    async def go_on(
        self, engine: Engine, came: Mapping[str, StepRecord], *, beats: Beats | None = None
    ) -> WorkflowResult:
        """From where it rests, in an attempt of its own. `came` is recorded where it waits."""
        main = self._main
        assert main is not None  # noqa: S101 - it rests, so it began
        self._engine, self._beats = engine, beats or Unheard()
        self._keeping.through(engine)
        self._end = asyncio.get_running_loop().create_future()
        arm(self._open.values(), self._standing.found)  # with the result that said that it rests
        self.news(tuple(came.values()), ask=False)
        self._moved()
        return await self._passage(main, self._end)

    @property
    def _goes(self) -> bool:
        """Whether this passage of the code has begun and is not over."""
        end, main = self._end, self._main
        return end is not None and not end.done() and main is not None and not main.done()

    @property
    def rests(self) -> bool:
        """Whether `go_on` may follow: all waits, and nothing has moved by itself since then."""
        return self._standing.rests and self._main is not None and not self._main.done()

    @property
    def places(self) -> tuple[str, ...]:
        return tuple(self._open)  # where it waits

    async def _passage(
        self, main: "asyncio.Task[object]", end: "asyncio.Future[Mismatch | bytes | None]"
    ) -> WorkflowResult:
        await asyncio.wait((main, end), return_when=asyncio.FIRST_COMPLETED)
        if self._at_rest is not None:
            self._at_rest()
        stands = end.done()
        why = end.result() if stands else None
        # What is in the air belongs before the result, which ends the attempt.
        await self._keeping.saver.landed()
        steps = self._keeping.saver.rest()
        if stands:
            waits = self._open.told(self._standing.found)
            ended = left(why, waits, steps, untaken=self._unclaimed.places)
        else:
            ended = await end_of(self._workflow, main, steps, cancelled=self._heard)
        return self._unless_other(ended)

    def _unless_other(self, ended: WorkflowResult) -> WorkflowResult:
        # A query may be given some of the next generation: it is read while the code starts over.
        # Where the order is lost the code waited for the world: then its places may be others.
        own = (one for place, one in self._recorded.items() if place not in self._reached)
        mine = (one for one in own if prefix_of(generation_of(one.step)) == self._prefix)
        return ended if self._succession.lost else unless_passed_over(ended, mine, self._scope)

    def news(self, steps: tuple[StepRecord, ...], *, ask: bool = True) -> None:
        """The engine recorded these meanwhile; none: there are some to ask for."""
        if self._end is not None and self._end.done():
            return  # the next go learns of it
        if not steps and ask:
            self._standing.asks.now()
        for step in sorted(steps, key=lambda one: one.nth):
            if step.step in self.visited:
                continue
            if step.step not in self._recorded:
                self._standing.found += step.kind in FOUND
            self._recorded[step.step] = step
            opened = self._open.get(step.step)
            if opened is not None and not opened.came.done():
                self._succession.found(step.step)
                opened.came.set_result(self._take(step.step))
                self._moved()  # it stands still no more, though nobody has gone on yet

    # ── what the code awaits ─────────────────────────────────────────────────────────────────

    async def step(self, step: Callee[T], args: tuple[object, ...], kwargs: dict[str, object]) -> T:
        """Raises StepFailed once it has failed for good."""
        place = self._place()
        digest = hash_of(step.shape.bind(args, kwargs))
        given = Given(args, kwargs)  # before anybody else goes on
        record = await self._past(place, step.name, "step", digest)
        if record is None and self._replay_only:
            record = await self._result_of(Wait(step=place, name=step.name, kind="step"))
        if record is None:
            await self._ready()
            record = await self._call(step, given, place, digest)
        if record.flaw is not None:
            raise StepFailed(record.flaw, record)
        return step.shape.result(record.result)

    async def _call(self, step: Callee[T], given: Given, place: str, digest: bytes) -> StepRecord:
        """What comes of it, recorded; also that its branch left it before anything did."""
        await self._succession.caught_up(place)
        await self._under_way()
        course = Course(self._beats, place)
        try:
            with Working(self._standing.count):
                record = await attempt_step(
                    step, given, digest=digest, draws=self._draws,
                    processes=self._processes, course=course,
                )  # fmt: skip
        except asyncio.CancelledError:
            if self._goes:
                self._keeping.keep_alone(self._succession.left(place, step.name, digest))
            raise
        await self._keeping.in_turn(self._succession, record, course)
        return record

    async def wait(
        self,
        kind: StepKind,
        name: str,
        *,
        delay_ms: int | None,
        digest: bytes = b"",
        child: ChildStart | None = None,
    ) -> StepRecord:
        """Until the engine has found its result; the workflow may leave its worker meanwhile."""
        wait = Wait(
            step=self._place(), name=name, kind=kind, input_hash=digest, delay_ms=delay_ms,
            child=child,
        )  # fmt: skip
        if kind == "signal":
            return await self._unclaimed.over(wait, self._result_of)
        return await self._result_of(wait)

    async def _result_of(self, wait: Wait) -> StepRecord:
        place, name, kind, digest = wait.step, wait.name, wait.kind, wait.input_hash
        record = await self._past(place, name, kind, digest)
        if record is None and not self._replay_only:
            await self._succession.caught_up(place)
            if kind == "detached":
                await self._ready()
        if record is None:
            await self._standing.room()
            record = await self._past(place, name, kind, digest)  # it may have come meanwhile
        return await self._standing.over(wait) if record is None else record

    async def report(self, value: object) -> None:
        """Records what a query is answered with from now on. Raises Unserializable."""
        place, raw = self._place(), encode(value)
        if len(raw) > WORKFLOW_VALUE_INLINE_BYTES_MAX:
            message = f"a report has at most {WORKFLOW_VALUE_INLINE_BYTES_MAX} bytes"
            raise Unserializable(message)
        digest = hash_of(value)
        if await self._past(place, "report", "report", digest) is None and not self._replay_only:
            self._keeping.keep_alone(
                StepRecord(step=place, name="report", kind="report", input_hash=digest, result=raw)
            )

    def branches(self) -> None:
        self._succession.branches()

    def answering(self, name: str, handler: Callable[..., object]) -> None:
        """Takes no place: whoever replays the code finds the handler again."""
        self.handlers[name] = handler

    async def start_over(self, args: tuple[object, ...], kwargs: dict[str, object]) -> NoReturn:
        """Ends this passage of the code, once what it finished is on its way."""
        input_ = encode(self._workflow.shape.sent(args, kwargs))
        self._standing.rests = False
        await self._keeping.saver.landed()
        (await self._under_way()).set_result(input_)
        await self._for_ever()

    # ── within the code ──────────────────────────────────────────────────────────────────────

    async def _code(self, args: list[object], kwargs: dict[str, object]) -> object:
        self._scope = Scope(self, self._prefix, asyncio.current_task())
        enter(self._scope)
        return await contained(self._workflow.function(*args, **kwargs))

    async def _hear(self, place: str, main: "asyncio.Task[object]") -> None:
        """In its turn, as any other result."""
        opened = self._open.get(place)
        if opened is not None:
            await self._standing.over_of(opened)
        elif place in self._recorded:
            await self._succession.come_to(self._take(place))
        else:
            return  # a replay has nothing else to hear
        self._heard = True
        main.cancel()

    def _place(self) -> str:
        scope = current_scope()
        assert scope is not None  # noqa: S101 - a go is found by its scope
        place = scope.next_place()
        self._reached.add(place)
        return place

    async def _past(
        self, place: str, name: str, kind: StepKind, digest: bytes
    ) -> StepRecord | None:
        """What is recorded of this step. Does not return where it does not fit, or all is over."""
        end = await self._under_way()
        record = self._recorded.get(place)
        if record is None:
            return None
        if (record.kind, record.name, record.input_hash) != (kind, name, digest):
            end.set_result(mismatch_of(record, kind, name))
            await self._for_ever()
        self._take(place)
        await self._succession.come_to(record)
        return record

    def _take(self, place: str) -> StepRecord:
        """The code comes to a place once, and keeps itself what it needs of it."""
        self.visited.add(place)
        record = self._recorded.pop(place)
        self._unclaimed.came(record)
        return record

    async def _under_way(self) -> "asyncio.Future[Mismatch | bytes | None]":
        """What ends this passage of the code. Does not return where it is over."""
        end = self._end
        if end is None or not self._goes:
            self._standing.woke()
            await self._for_ever()
        return end

    async def _for_ever(self) -> NoReturn:
        """Until the go is unwound. Code that goes on then is left again, if it lets itself be."""
        if self._raises:
            self._raises -= 1
            await asyncio.sleep(0)
            raise asyncio.CancelledError
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async def _ready(self) -> None:
        """What came before the next step is recorded, where the user did not say otherwise."""
        if not self._workflow.pipelined:
            await self._keeping.saver.settled()
            await self._under_way()

    def _moved(self) -> None:
        self._standing.moved()

    async def _ask(self, places: tuple[str, ...]) -> dict[str, StepRecord]:
        return await self._engine.recorded(places)

    def _stand(self) -> None:
        if self._end is not None:
            self._end.set_result(None)

    def _fail(self, error: BaseException) -> None:
        if self._end is not None and not self._end.done():
            self._end.set_exception(error)

    async def unwind(self) -> None:
        """Leaves the code. Whatever it still awaits of us never returns."""
        self._raises = LEFT_RAISES_MAX
        if self._end is not None and not self._end.done():
            self._end.cancel()
        for task in (self._hearing, self._main, self._standing.asks.asking):
            if task is not None and not task.done():
                task.cancel()
                self._standing.leave()
                await asyncio.wait((task,), timeout=UNWIND_S)
        self._standing.leave()  # code that has ended may have branches that wait
        self._keeping.saver.close()
