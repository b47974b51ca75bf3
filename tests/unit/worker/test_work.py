"""The worker beside a scripted engine: streams that break, losses, cancels, starts, drains."""

import asyncio
import threading

import msgspec
import pytest

from mainspring_schema.agents import EffectClass
from mainspring_schema.frames import Config, Held, ToWorker, Verdict
from mainspring_schema.messages import Json
from mainspring_schema.tasks import ToolResult
from mainspring_worker.ports.tool import ToolContext, ToolOutcome
from mainspring_workstream import work as work_module
from tests.unit.worker.fake_engine import WAIT_S
from tests.unit.worker.making import CONFIG_HASH, held, history, reason_payload, task, tool_payload
from tests.unit.worker.workbench import TestTool, bench, echo, tool

RESULT = msgspec.msgpack.Decoder(ToolResult)


class Gate:
    """A tool body that waits until the test lets it go on. Some tools run on another loop."""

    def __init__(self) -> None:
        self._home = asyncio.get_running_loop()
        self.entered = asyncio.Event()
        self.release = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def __call__(self, arguments: Json, context: ToolContext) -> ToolOutcome:
        del context
        self._home.call_soon_threadsafe(self.entered.set)
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self._home.call_soon_threadsafe(self.cancelled.set)
            raise
        return ToolOutcome(result=arguments)

    async def until_entered(self) -> None:
        async with asyncio.timeout(WAIT_S):
            await self.entered.wait()

    async def until_cancelled(self) -> None:
        async with asyncio.timeout(WAIT_S):
            await self.cancelled.wait()


def gated(gate: Gate) -> TestTool:
    return tool(gate, name="slow")


async def test_task_is_carried_out_and_its_result_sent() -> None:
    async with bench(tools=[tool(echo)]) as b:
        engine = await b.engine.attached()

        engine.give(task(payload=tool_payload(arguments={"a": 1})))

        result = await engine.result()
        told = RESULT.decode(result.body)
        assert result.held == held()
        assert (told.status, told.result) == ("success", {"a": 1})


async def test_results_of_one_moment_ride_one_frame() -> None:
    async with bench(tools=[tool(echo)], slots=50) as b:
        engine = await b.engine.attached()

        engine.give(*(task(held(n)) for n in range(50)))

        frame = await engine.until(lambda f: f.results)
        assert len(frame.results) == 50
        assert frame.credits == 50


async def test_broken_stream_is_attached_again_with_the_buffered_result() -> None:
    async with bench(tools=[tool(echo)]) as b:
        first = await b.engine.attached()
        first.give(task())
        sent = await first.result()
        first.hang_up()

        second = await b.engine.arrival()
        attach = await second.accept()

        assert attach.attach is not None
        assert attach.attach.attach_number == 2
        assert attach.attach.held == (held(),)
        again = await second.result()
        assert (again.hash, again.body) == (sent.hash, sent.body)


async def test_running_task_survives_a_reattach() -> None:
    gate = Gate()
    async with bench(tools=[gated(gate)]) as b:
        first = await b.engine.attached()
        first.give(task(payload=tool_payload("slow")))
        await gate.until_entered()
        first.hang_up()
        second = await b.engine.attached()

        gate.release.set()

        assert (await second.result()).held == held()
        assert not gate.cancelled.is_set()


async def test_lost_task_is_stopped_and_reports_nothing() -> None:
    gate = Gate()
    async with bench(tools=[gated(gate), tool(echo)], slots=1) as b:
        engine = await b.engine.attached()
        engine.give(task(payload=tool_payload("slow")))
        await gate.until_entered()

        engine.say(ToWorker(lost=(held(),)))

        frame = await engine.until(lambda f: f.credits)
        assert frame.results == ()
        await gate.until_cancelled()


async def test_cancel_reaches_the_tool_and_is_reported() -> None:
    gate = Gate()
    async with bench(tools=[gated(gate)]) as b:
        engine = await b.engine.attached()
        engine.give(task(payload=tool_payload("slow")))
        await gate.until_entered()

        engine.say(ToWorker(cancelled=(held(),)))

        told = RESULT.decode((await engine.result()).body)
        assert told.status == "cancelled"
        assert told.failure is not None
        assert told.failure.error_class == "cancelled"
        await gate.until_cancelled()


async def test_cancel_in_the_frame_of_its_task_gives_the_slot_back() -> None:
    async with bench(tools=[tool(echo)], slots=1) as b:
        engine = await b.engine.attached()

        engine.say(ToWorker(tasks=(task(),), cancelled=(held(),)))

        frame = await engine.until(lambda f: f.credits)
        assert frame.credits == 1
        assert b.core.running == ()


async def test_bound_tool_is_called_only_after_its_start_is_committed() -> None:
    bound = tool(echo, name="pay", effect_class="at_most_once")
    async with bench(tools=[bound]) as b:
        engine = await b.engine.attached()
        engine.give(task(payload=tool_payload("pay", effect_class="at_most_once")))
        frame = await engine.until(lambda f: f.starts)
        called_before = bound.calls

        engine.grant_start(held())

        told = RESULT.decode((await engine.result()).body)
        assert frame.starts == (held(),)
        assert called_before == 0
        assert (bound.calls, told.status) == (1, "success")


async def test_refused_start_drops_the_task_without_a_call() -> None:
    bound = tool(echo, name="pay", effect_class="at_most_once")
    async with bench(tools=[bound]) as b:
        engine = await b.engine.attached()
        engine.give(task(payload=tool_payload("pay", effect_class="at_most_once")))
        await engine.until(lambda f: f.starts)

        engine.grant_start(held(), Verdict.STALE)

        frame = await engine.until(lambda f: f.credits)
        assert frame.results == ()
        assert bound.calls == 0


async def test_cancelled_call_that_had_started_has_an_unknown_outcome() -> None:
    gate = Gate()
    async with bench(tools=[tool(gate, name="pay", effect_class="at_most_once")]) as b:
        engine = await b.engine.attached()
        engine.give(task(payload=tool_payload("pay", effect_class="at_most_once")))
        await engine.until(lambda f: f.starts)
        engine.grant_start(held())
        await gate.until_entered()

        engine.say(ToWorker(cancelled=(held(),)))

        told = RESULT.decode((await engine.result()).body)
        assert told.status == "unknown"


async def test_effect_waits_while_the_local_lease_is_over() -> None:
    quick = tool(echo)
    async with bench(tools=[quick]) as b:
        # A lease shorter than the margin is over on arrival; the first renewal is no better, so
        # the engine lengthens it by a new attach.
        first = await b.engine.attached(lease_ms=300)
        first.give(task())
        beat = await first.until(lambda f: f.beat is not None)
        called_before = quick.calls
        first.hang_up()

        second = await b.engine.attached()

        await second.result()
        assert beat.beat is not None
        assert beat.beat.held == (held(),)
        assert called_before == 0
        assert quick.calls == 1


async def test_what_an_engine_says_on_a_stream_that_was_left_is_not_heard() -> None:
    gate = Gate()
    async with bench(tools=[gated(gate)]) as b:
        silent = await b.engine.attached(lease_ms=300)
        silent.give(task(payload=tool_payload("slow")))
        second = await b.engine.attached()
        await gate.until_entered()
        unheard = silent.outbound.qsize()

        silent.say(ToWorker(lost=(held(),)))
        gate.release.set()

        assert (await second.result()).held == held()
        assert silent.outbound.qsize() == unheard + 1


async def test_blocking_tool_does_not_starve_the_beats() -> None:
    release = threading.Event()

    async def block(arguments: Json, context: ToolContext) -> ToolOutcome:
        del arguments, context
        release.wait(WAIT_S)
        return ToolOutcome(result="done")

    blocking = tool(block, name="block", effect_class="idempotent")
    async with bench(tools=[blocking]) as b:
        first = await b.engine.attached()
        first.give(task(payload=tool_payload("block", effect_class="idempotent")))
        first.hang_up()
        engine = await b.engine.attached(lease_ms=60)

        beats = [await engine.until(lambda f: f.beat is not None) for _ in range(3)]
        release.set()

        assert all(b.beat is not None and b.beat.held == (held(),) for b in beats)
        told = RESULT.decode((await engine.result()).body)
        assert told.result == "done"


async def test_unknown_configuration_is_asked_of_the_engine() -> None:
    async with bench() as b:
        engine = await b.engine.attached()
        engine.give(task(payload=reason_payload(), tail=history()))

        frame = await engine.until(lambda f: f.configs_wanted)
        engine.say(ToWorker(configs=(Config(hash=CONFIG_HASH, body=b""),)))

        assert frame.configs_wanted == (CONFIG_HASH,)
        result = await engine.result()
        assert b"configuration_unusable" in result.body


async def test_leaving_engine_is_replaced_by_another_stream() -> None:
    gate = Gate()
    async with bench(tools=[gated(gate)]) as b:
        first = await b.engine.attached()
        first.give(task(payload=tool_payload("slow")))
        await gate.until_entered()

        first.say(ToWorker(leaving=True))

        attach = await (await b.engine.arrival()).accept()
        assert attach.attach is not None
        assert attach.attach.held == (held(),)


async def test_drain_hands_back_what_has_not_begun_and_finishes_the_rest() -> None:
    gate = Gate()
    bound = tool(echo, name="pay", effect_class="at_most_once")
    async with bench(tools=[gated(gate), bound]) as b:
        engine = await b.engine.attached()
        engine.give(
            task(held(1), tool_payload("slow")),
            task(held(2), tool_payload("pay", effect_class="at_most_once")),
        )
        await gate.until_entered()
        await engine.until(lambda f: f.starts)

        draining = asyncio.create_task(b.worker.drain())
        frame = await engine.until(lambda f: f.draining)
        returned: tuple[Held, ...] = frame.returned
        while not returned:
            returned = (await engine.next()).returned
        gate.release.set()
        result = await engine.result()
        engine.acknowledge(held(1))

        async with asyncio.timeout(WAIT_S):
            await draining
            await b.running
        assert returned == (held(2),)
        assert result.held == held(1)
        assert bound.calls == 0


async def test_idle_worker_drains_at_once() -> None:
    async with bench() as b:
        engine = await b.engine.attached()

        async with asyncio.timeout(WAIT_S):
            await b.worker.drain()
            await b.running

        await engine.hung_up()


async def test_what_is_on_its_way_to_a_worker_that_drains_is_handed_back() -> None:
    async with bench() as b:
        engine = await b.engine.attached(answers_drains=True)

        draining = asyncio.create_task(b.worker.drain())
        await engine.until(lambda f: f.draining)
        engine.give(task(held(1)))
        first = await engine.until(lambda f: f.returned)
        engine.give(task(held(2)))
        second = await engine.until(lambda f: f.returned)
        engine.say(ToWorker(drained=True))

        async with asyncio.timeout(WAIT_S):
            await draining
            await b.running
        await engine.hung_up()
        assert (first.returned, second.returned) == ((held(1),), (held(2),))


@pytest.mark.parametrize("breaks", [False, True])
async def test_a_drain_does_not_wait_long_for_an_engine_that_is_silent_or_gone(
    breaks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work_module, "DRAIN_HEARD_S", WAIT_S * 9 if breaks else 0.01)
    async with bench() as b:
        engine = await b.engine.attached(answers_drains=True)

        draining = asyncio.create_task(b.worker.drain())
        await engine.until(lambda f: f.draining)
        if breaks:
            engine.hang_up()

        async with asyncio.timeout(WAIT_S):
            await draining
            await b.running


@pytest.mark.parametrize("effect_class", ["idempotent", "at_most_once"])
async def test_drain_deadline_hands_back_or_tells_what_is_unknown(
    effect_class: EffectClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work_module, "DRAIN_WORK_S", 0.05)
    gate = Gate()
    async with bench(tools=[tool(gate, effect_class=effect_class)]) as b:
        engine = await b.engine.attached()
        engine.give(task(payload=tool_payload(effect_class=effect_class)))
        if effect_class == "at_most_once":
            await engine.until(lambda f: f.starts)
            engine.grant_start(held())
        await gate.until_entered()

        draining = asyncio.create_task(b.worker.drain())
        frame = await engine.until(lambda f: f.results or f.returned)
        engine.acknowledge(held())

        async with asyncio.timeout(WAIT_S):
            await draining
            await b.running
        if effect_class == "idempotent":
            assert (frame.returned, frame.results) == ((held(),), ())
        else:
            assert RESULT.decode(frame.results[0].body).status == "unknown"
