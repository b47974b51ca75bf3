"""Calls of tools at a worker of one's own: what is committed before one, and what it comes to."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import msgspec
import pytest

from mainspring import Brings, Image, NotDone, ToolContext, ToolError, tool
from mainspring.calling import Announced
from mainspring.worker import Runner
from mainspring_kernel.clock import SystemClock
from mainspring_kernel.draws import SystemDraws
from mainspring_kernel.toolset_limits import ANNOUNCED_RESULT_PLAIN_BYTES_MAX
from mainspring_schema.agents import (
    CapabilityRef,
    EffectClass,
    ModelChoice,
    RuntimeAgent,
    encode_runtime_agent,
)
from mainspring_schema.frames import Config, FromWorker, Task, ToWorker
from mainspring_schema.messages import Json
from mainspring_schema.tasks import ToolResult
from mainspring_workstream.attempt import Attempt
from mainspring_workstream.configs import Configs
from mainspring_workstream.core import WorkerCore
from mainspring_workstream.queue_link import QueueEngineLink
from mainspring_workstream.work import Worker
from tests.unit.sdk.test_images import NAMED, PART, PNG
from tests.unit.worker.fake_engine import WAIT_S, Conversation, FakeEngine
from tests.unit.worker.making import held, identity, task, tool_payload

RESULT = msgspec.msgpack.Decoder(ToolResult)
CALLED: list[object] = []
GATE, BEGUN, STOPPED = asyncio.Event(), asyncio.Event(), asyncio.Event()


@pytest.fixture(autouse=True)
def nothing_called() -> None:
    CALLED.clear()
    for event in (GATE, BEGUN, STOPPED):
        event.clear()


@tool(effect="idempotent")
async def refund(order: str, call: ToolContext) -> dict[str, str]:
    """Gives money back."""
    CALLED.append(call.idempotency_key)
    return {"order": order}


@tool(effect="pure")
def repeat(times: int) -> str:
    """Says x so often."""
    return "x" * times


@tool(effect="pure")
async def refuse() -> str:
    """Has a reason."""
    message = "no such order"
    raise ToolError(message)


@tool
async def breaks() -> str:
    """Breaks."""
    message = "the database's password is secret"
    raise RuntimeError(message)


@tool(effect="pure")
async def strange() -> object:
    """Returns what is no JSON."""
    return object()


@tool(effect="pure")
async def counts() -> int:
    """Returns what JSON has and no frame."""
    return 2**70


@tool(timeout_s=0.01)
async def hangs() -> None:
    """Hangs."""
    await GATE.wait()


@tool
async def works() -> None:
    """Works until it is stopped."""
    CALLED.append("works")
    BEGUN.set()
    try:
        await GATE.wait()
    except asyncio.CancelledError:
        STOPPED.set()
        raise


@tool(effect="pure")
async def tells(call: ToolContext) -> None:
    """Shows a line."""
    await call.progress("half of \udcff")  # as the name of a file that is no UTF-8


@tool(effect="pure")
async def draws() -> Image:
    """Draws."""
    return Image(PNG)


async def found(order: str) -> str:
    CALLED.append("probe")
    if order == "lost":
        raise NotDone
    if order == "strange":
        message = "the bank does not answer"
        raise OSError(message)
    return f"{order} was paid"


@tool(effect="verifiable", probe=found)
async def pay(order: str) -> str:
    """Pays an order."""
    CALLED.append("pay")
    return f"{order} is paid"


SHOP = Announced(
    (refund, repeat, refuse, breaks, strange, counts, hangs, works, tells, draws, pay), "shop"
)


@asynccontextmanager
async def attached(
    announced: Announced | None = None, configs: Configs | None = None
) -> AsyncGenerator[Conversation]:
    """A worker with the tools above, beside an engine that says what a test tells it to."""
    engine, clock, draws = FakeEngine(), SystemClock(), SystemDraws()
    core = WorkerCore(identity(4))
    worker = Worker(core=core, link=QueueEngineLink(engine), clock=clock, draws=draws)
    loop, shop = asyncio.get_running_loop(), announced or SHOP
    runner = Runner({}, loop, draws, None, announced=shop, configs=configs)
    running = asyncio.create_task(worker.run(runner))
    try:
        yield await engine.attached()
    finally:
        worker.halt()
        await asyncio.gather(running, return_exceptions=True)


def given(
    name: str, arguments: object = None, *, effect: EffectClass = "pure", started: bool = False
) -> Task:
    payload = tool_payload(name, effect_class=effect, arguments=arguments)
    return msgspec.structs.replace(task(held(), payload), started=started)


async def came_to(
    name: str, arguments: object = None, *, effect: EffectClass = "pure", started: bool = False
) -> ToolResult:
    async with attached() as engine:
        engine.give(given(name, arguments, effect=effect, started=started))
        frame = await engine.until(lambda f: f.starts or f.results)
        if frame.starts:
            engine.grant_start(frame.starts[0])
            frame = await engine.until(lambda f: f.results)
        return RESULT.decode(frame.results[0].body)


async def reached(event: asyncio.Event) -> None:
    async with asyncio.timeout(WAIT_S):
        await event.wait()


async def test_no_call_is_made_while_it_is_not_sure_whose_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def leased(_attempt: Attempt) -> None:
        CALLED.append("waited for the lease")

    monkeypatch.setattr(Attempt, "leased", leased)

    await came_to("refund", {"order": "A"}, effect="idempotent")

    assert CALLED[0] == "waited for the lease"
    assert len(CALLED) == 2


async def test_a_call_is_made_with_its_key_and_its_result_told() -> None:
    result = await came_to("refund", {"order": "A"}, effect="idempotent")

    assert (result.status, result.result, result.unread) == ("success", {"order": "A"}, False)
    assert CALLED == ["key"]


async def test_what_may_not_be_called_twice_is_called_once_its_start_is_committed() -> None:
    async with attached() as engine:
        engine.give(given("works", effect="at_most_once"))
        frame = await engine.until(lambda f: f.starts)
        assert CALLED == []
        engine.grant_start(frame.starts[0])
        GATE.set()

        body = (await engine.result()).body

    assert (RESULT.decode(body).status, CALLED) == ("success", ["works"])


async def test_a_result_that_may_be_too_long_is_left_to_be_read() -> None:
    short = await came_to("repeat", {"times": ANNOUNCED_RESULT_PLAIN_BYTES_MAX - 2})
    long = await came_to("repeat", {"times": ANNOUNCED_RESULT_PLAIN_BYTES_MAX})

    assert (short.unread, long.unread) == (False, True)
    assert len(str(long.result)) == ANNOUNCED_RESULT_PLAIN_BYTES_MAX


async def test_an_image_comes_beside_its_name_and_is_left_to_be_read() -> None:
    result = await came_to("draws")

    assert (result.result, result.images, result.unread) == (NAMED, (PART,), True)


@pytest.mark.parametrize("name", ["repeat", "refuse"])
async def test_what_the_agents_rules_look_at_is_left_to_be_read(name: str) -> None:
    arguments = {"times": 1} if name == "repeat" else {}
    payload = msgspec.structs.replace(tool_payload(name, arguments=arguments), guarded=True)
    async with attached() as engine:
        engine.give(task(held(), payload))

        assert RESULT.decode((await engine.result()).body).unread


async def test_a_model_reads_what_a_tool_says_of_its_failure() -> None:
    result = await came_to("refuse")

    assert (result.status, result.error) == ("error", "no such order")


@pytest.mark.parametrize(("effect", "status"), [("pure", "error"), ("at_most_once", "unknown")])
async def test_a_model_does_not_read_what_a_tool_raises(effect: EffectClass, status: str) -> None:
    result = await came_to("breaks", effect=effect)

    assert result.status == status
    assert str(result.error).startswith("the tool failed with an internal error")


@pytest.mark.parametrize("tool_name", ["strange", "counts"])
async def test_a_result_that_cannot_be_kept_is_an_error(tool_name: str) -> None:
    result = await came_to(tool_name)

    assert (result.status, result.failure and result.failure.code) == (
        "error", "tool_result_invalid"
    )  # fmt: skip


@pytest.mark.parametrize(("effect", "status"), [("pure", "timeout"), ("at_most_once", "unknown")])
async def test_a_tool_has_its_time(effect: EffectClass, status: str) -> None:
    result = await came_to("hangs", effect=effect)

    assert (result.status, result.failure and result.failure.code) == (status, "tool_timeout")


async def test_arguments_of_another_version_are_told_to_the_model() -> None:
    result = await came_to("refund", {"number": 7}, effect="idempotent")

    assert (result.status, CALLED) == ("error", [])
    assert str(result.error).startswith("invalid arguments: ")


@pytest.mark.parametrize(
    ("effect", "status"), [("idempotent", "cancelled"), ("at_most_once", "unknown")]
)
async def test_a_cancel_reaches_the_function(effect: EffectClass, status: str) -> None:
    async with attached() as engine:
        one = given("works", effect=effect)
        engine.give(one)
        if effect == "at_most_once":
            engine.grant_start((await engine.until(lambda f: f.starts)).starts[0])
        await reached(BEGUN)
        engine.say(ToWorker(cancelled=(one.held,)))

        body = (await engine.result()).body
        await reached(STOPPED)

    assert RESULT.decode(body).status == status


async def test_a_line_of_progress_is_an_event() -> None:
    async with attached() as engine:
        engine.give(given("tells"))
        frame: FromWorker = await engine.until(lambda f: f.emits)
        (emit,) = frame.emits
        engine.grant_emit(emit.held, emit.counter)
        await engine.result()

    (event,) = emit.events
    assert event.type == "tool.progress"
    assert (event.data["message"], event.data["tool_name"]) == ("half of ?", "tells")


@pytest.mark.parametrize(
    ("order", "status", "told"),
    [
        ("A", "success", "A was paid"),
        ("lost", "error", "the call was lost before it took effect"),
        ("strange", "unknown", None),
    ],
)
async def test_of_a_started_call_that_was_lost_the_probe_is_asked(
    order: str, status: str, told: str | None
) -> None:
    result = await came_to("pay", {"order": order}, effect="verifiable", started=True)

    assert (result.status, CALLED) == (status, ["probe"])
    assert told is None or told in (result.result, result.error)


@pytest.mark.parametrize(("name", "arguments"), [("works", {}), ("pay", {"nr": 1})])
async def test_a_started_call_that_cannot_be_asked_about_is_unknown(
    name: str, arguments: object
) -> None:
    result = await came_to(name, arguments, effect="verifiable", started=True)

    assert (result.status, CALLED) == ("unknown", [])


async def test_what_the_worker_never_offered_goes_back() -> None:
    async with attached() as engine:
        engine.give(given("sell"))

        frame = await engine.until(lambda f: f.returned)

    assert frame.returned == (held(),)


# ── what an agent sets ──────────────────────────────────────────────────────────────────────────


@tool(effect="pure")
async def limit(call: ToolContext) -> object:
    """Tells the limit."""
    return call.settings


CHOOSY = Announced((limit,), "shop", brings=Brings(config_schema={"type": "object"}))


def agent_with(config: Json | None) -> bytes:
    agent = RuntimeAgent(
        harness_id="h",
        capabilities=(CapabilityRef(ref="toolset:shop", config=config),),
        model=ModelChoice(model_id="m", model="m", provider_id="p", driver="d", provider="p"),
        max_iterations=1,
    )
    return encode_runtime_agent(agent)


UNKNOWN = b""
"""What an engine answers that has no such configuration."""


async def limit_with(body: bytes) -> ToolResult:
    asked: list[bytes] = []
    configs = Configs(want=asked.append, forget=asked.remove)
    async with attached(CHOOSY, configs) as engine:
        engine.give(given("limit"))
        while not asked:  # noqa: ASYNC110 - the worker's own loop asks
            await asyncio.sleep(0)
        configs.keep(Config(hash=asked[0], body=body))
        frame = await engine.until(lambda f: f.results)
        return RESULT.decode(frame.results[0].body)


@pytest.mark.parametrize(
    ("config", "told"), [({"settings": {"max": 5}}, {"max": 5}), ({}, {}), (None, {})]
)
async def test_a_call_is_told_what_its_agent_set(config: Json | None, told: Json) -> None:
    result = await limit_with(agent_with(config))

    assert (result.status, result.result) == ("success", told)


async def test_a_call_whose_agent_is_not_known_is_not_made() -> None:
    result = await limit_with(UNKNOWN)

    assert (result.status, result.error) == ("error", "the agent's settings are not known")
