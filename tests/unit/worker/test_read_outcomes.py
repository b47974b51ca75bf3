"""Outcomes that a worker of people's own brought: read by one of the house, never made again."""

import msgspec

from mainspring_harness.builtin import builtin_registry
from mainspring_kernel.limits import TOOL_RESULT_INLINE_BYTES_MAX
from mainspring_schema.frames import Task, ToWorker
from mainspring_schema.messages import Json
from mainspring_schema.tasks import ToolResult
from mainspring_worker.adapters.memory import MemoryFiles
from tests.unit.worker.making import held, task, tool_payload
from tests.unit.worker.test_act import RESULT
from tests.unit.worker.test_compaction import granted
from tests.unit.worker.test_guard import SECRET, config
from tests.unit.worker.test_tool_images import image
from tests.unit.worker.workbench import bench, echo, tool


def reading(brought: ToolResult, *, guarded: bool = False) -> Task:
    payload = tool_payload("refund", effect_class="at_most_once")
    payload = msgspec.structs.replace(payload, brought=brought, guarded=guarded)
    refs = [{**SECRET, "stages": ["tool_output"]}] if guarded else []
    return task(held(), payload, config=config(*refs))


def brought(result: object) -> ToolResult:
    return ToolResult(status="success", result=result, duration_ms=7, unread=True)


async def test_a_long_outcome_is_shown_in_part_and_kept_as_a_file() -> None:
    text, files = "y" * (TOOL_RESULT_INLINE_BYTES_MAX + 1), MemoryFiles(held())
    one = tool(echo, name="refund")
    async with bench(tools=[one], files=files) as b:
        engine = await b.engine.attached()
        engine.give(reading(brought(text)))
        result = RESULT.decode((await engine.result()).body)

    assert files.content == {"/outputs/call_1.txt": text.encode()}
    shown = msgspec.convert(result.result, Json)
    assert (shown["truncated"], result.unread, result.duration_ms) == (True, False, 7)
    assert one.calls == 0


async def test_the_images_of_an_outcome_stay_with_it() -> None:
    drawn = msgspec.structs.replace(brought("drawn"), images=(image(),))
    async with bench() as b:
        engine = await b.engine.attached()
        engine.give(reading(drawn))
        result = RESULT.decode((await engine.result()).body)

    assert (result.images, result.unread) == ((image(),), False)


async def test_an_outcome_is_held_against_the_agents_rules() -> None:
    async with bench(registry=builtin_registry()) as b:
        engine = await b.engine.attached()
        engine.give(reading(brought("this is hush"), guarded=True))
        told, body = await granted(engine)

    result = RESULT.decode(body)
    assert [type_ for type_, _ in told] == ["guardrail.triggered"]
    assert (result.status, "hush" in str(result)) == ("error", False)


async def test_a_cancel_ends_the_reading() -> None:
    async with bench(registry=builtin_registry()) as b:
        engine = await b.engine.attached()
        waiting = msgspec.structs.replace(reading(brought("x"), guarded=True), config=None)
        engine.give(waiting)
        await engine.until(lambda f: f.configs_wanted)
        engine.say(ToWorker(cancelled=(waiting.held,)))

        body = (await engine.result()).body

    assert RESULT.decode(body).status == "cancelled"
