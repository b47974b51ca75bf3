"""Results of tools that are too large for an event: kept whole as a file, shown in part."""

import asyncio

import msgspec
import pytest

from mainspring_kernel.errors import PayloadTooLarge, Unavailable
from mainspring_kernel.limits import TOOL_RESULT_BYTES_MAX, TOOL_RESULT_INLINE_BYTES_MAX
from mainspring_schema.agents import CapabilityRef, RuntimeAgent
from mainspring_schema.frames import Held, Task, ToWorker
from mainspring_schema.messages import Json
from mainspring_schema.tasks import ToolResult
from mainspring_worker.adapters.memory import MemoryFiles
from mainspring_worker.domain.limits import TRUNCATED_PREVIEW_BYTES
from mainspring_worker.ports.files import SessionFiles
from mainspring_worker.usecases import outputs as outputs_module
from mainspring_workstream import configs as configs_module
from tests.unit.worker.making import agent, config_of, held, task, tool_payload
from tests.unit.worker.test_act import RESULT, returning
from tests.unit.worker.workbench import Bench, bench, tool

LARGE = "y" * (TOOL_RESULT_INLINE_BYTES_MAX + 1)


def call(who: RuntimeAgent | None = None) -> Task:
    """With its agent, which says what is shown: a worker waits for one that does not come."""
    return task(payload=tool_payload(), config=config_of(who or agent()))


async def told(result: object, files: SessionFiles | None = None) -> ToolResult:
    async with bench(tools=[tool(returning(result))], files=files) as b:
        return await told_by(b)


async def told_by(b: Bench) -> ToolResult:
    engine = await b.engine.attached()
    engine.give(call())
    return RESULT.decode((await engine.result()).body)


def excerpt(result: ToolResult) -> Json:
    assert result.status == "success"
    assert len(msgspec.json.encode(result.result)) < TOOL_RESULT_INLINE_BYTES_MAX
    return msgspec.convert(result.result, Json)


async def test_result_at_the_bound_stays_whole_and_makes_no_file() -> None:
    whole, files = "y" * (TOOL_RESULT_INLINE_BYTES_MAX - 2), MemoryFiles(held())

    assert (await told(whole, files)).result == whole
    assert files.content == {}


async def test_text_over_the_bound_is_a_file_and_its_beginning_is_shown() -> None:
    files = MemoryFiles(held())

    said = excerpt(await told(LARGE, files))

    assert files.content == {"/outputs/call_1.txt": LARGE.encode()}
    assert said["output_file"] == "/outputs/call_1.txt"
    assert (said["truncated"], said["bytes_total"]) == (True, len(LARGE))
    assert LARGE.startswith(str(said["preview"]))
    assert "/outputs/call_1.txt" in str(said["note"])


async def test_structure_over_the_bound_is_a_file_of_json() -> None:
    rows, files = {"rows": [LARGE]}, MemoryFiles(held())

    said = excerpt(await told(rows, files))

    assert said["output_file"] == "/outputs/call_1.json"
    assert msgspec.json.decode(files.content["/outputs/call_1.json"]) == rows


@pytest.mark.parametrize("character", ["\x01", "é", "𝄞", '"'])
async def test_excerpt_is_small_whatever_it_shows(character: str) -> None:
    said = excerpt(await told(character * TOOL_RESULT_INLINE_BYTES_MAX))

    assert len(msgspec.json.encode(said["preview"])) <= TRUNCATED_PREVIEW_BYTES
    assert said["bytes_returned"] == len(str(said["preview"]).encode())


async def test_what_is_kept_is_bounded_and_ends_with_a_whole_character() -> None:
    files = MemoryFiles(held())

    said = excerpt(await told("é" * TOOL_RESULT_BYTES_MAX, files))

    kept = files.content["/outputs/call_1.txt"]
    assert TOOL_RESULT_BYTES_MAX - 1 <= len(kept) <= TOOL_RESULT_BYTES_MAX
    assert set(kept.decode()) == {"é"}
    assert said["bytes_total"] == 2 * TOOL_RESULT_BYTES_MAX
    assert "the beginning of the result" in str(said["note"])


class Refusing:
    """Raises what it is given, once each, then keeps nothing more from being written."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.keys: list[str] = []

    async def write(self, held: Held, *, key: str, path: str, content: bytes) -> str:
        del held, content
        self.keys.append(key)
        if self.errors:
            raise self.errors.pop(0)
        return path


async def test_files_that_come_back_are_asked_again_with_the_same_key() -> None:
    files = Refusing(Unavailable("away"), Unavailable("away"))

    said = excerpt(await told(LARGE, files))

    assert files.keys == ["key:1.txt"] * 3
    assert said["output_file"] == "/outputs/call_1.txt"


async def test_refused_file_leaves_the_result_in_part() -> None:
    what = "a workspace that workers write to"

    said = excerpt(await told(LARGE, Refusing(PayloadTooLarge(what, 1))))

    assert "output_file" not in said
    assert "could not be kept" in str(said["note"])


class Stuck:
    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def write(self, held: Held, *, key: str, path: str, content: bytes) -> str:
        del held, key, content
        self.asked.set()
        await asyncio.Event().wait()
        return path


async def test_files_that_do_not_answer_hold_a_result_up_for_a_bound_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outputs_module, "KEEP_RESULT_S", 0.05)

    said = excerpt(await told(LARGE, Stuck()))

    assert "output_file" not in said


async def test_cancel_while_a_result_is_kept_does_not_undo_the_call() -> None:
    files = Stuck()
    async with bench(tools=[tool(returning(LARGE))], files=files) as b:
        engine = await b.engine.attached()
        engine.give(call())
        await files.asked.wait()

        engine.say(ToWorker(cancelled=(held(),)))

        said = excerpt(RESULT.decode((await engine.result()).body))
        assert "output_file" not in said


async def test_lost_task_keeps_nothing_and_reports_nothing() -> None:
    files = Stuck()
    async with bench(tools=[tool(returning(LARGE))], files=files, slots=1) as b:
        engine = await b.engine.attached()
        engine.give(call())
        await files.asked.wait()

        engine.say(ToWorker(lost=(held(),)))

        frame = await engine.until(lambda f: f.credits)
        assert frame.results == ()


@pytest.mark.parametrize(
    "result",
    [object(), "\udce9", 2**70, {"n": [-(2**65)]}],
    ids=["object", "surrogate", "number", "deep"],
)
async def test_result_that_is_no_json_or_fits_no_frame_is_an_error(result: object) -> None:
    assert (await told(result)).status == "error"


async def test_a_result_whose_agent_does_not_come_is_cut_as_by_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(configs_module, "CONFIG_TIMEOUT_S", 0.01)
    files = MemoryFiles(held())
    async with bench(tools=[tool(returning(LARGE))], files=files) as b:
        engine = await b.engine.attached()
        engine.give(task(payload=tool_payload()))
        excerpt(RESULT.decode((await engine.result()).body))

    assert files.content == {"/outputs/call_1.txt": LARGE.encode()}


async def test_an_agent_may_keep_shorter_results_out_of_its_prompt() -> None:
    files = MemoryFiles(held())
    ref = CapabilityRef(ref="tool_output_persistence", config={"inline_bytes_max": 1024})
    who = msgspec.structs.replace(agent(), capabilities=(ref,))
    async with bench(tools=[tool(returning("y" * 2000))], files=files) as b:
        engine = await b.engine.attached()
        engine.give(call(who))
        said = excerpt(RESULT.decode((await engine.result()).body))

    assert files.content == {"/outputs/call_1.txt": b"y" * 2000}
    assert (said["bytes_total"], said["output_file"]) == (2000, "/outputs/call_1.txt")
    assert 0 < len(str(said["preview"])) <= 256
