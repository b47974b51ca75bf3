"""A model call whose conversation is too long: told shorter first, and that is written down."""

import asyncio
from collections.abc import AsyncGenerator

import msgspec

from mainspring_harness.builtin import builtin_registry
from mainspring_schema.agents import CapabilityRef
from mainspring_schema.events import (
    OutputMessageCompleted,
    ReasonStarted,
    StoredEvent,
    Usage,
)
from mainspring_schema.frames import Config, ToWorker
from mainspring_schema.messages import Json, Message, Role, TextPart
from mainspring_schema.tasks import Failure, ReasonResult
from mainspring_worker.ports.model import Done, ModelFailure, ModelItem, ModelRequest, TextDelta
from tests.unit.worker.fake_engine import Conversation
from tests.unit.worker.making import (
    ANCHOR,
    SESSION,
    agent,
    config_of,
    event,
    held,
    reason_payload,
    task,
)
from tests.unit.worker.test_reason import RESULT
from tests.unit.worker.workbench import Bench, Script, bench

LONG = "u" * 12_000
SAYS = "What was said before."


def config(**asked: object) -> Config:
    """Of an agent whose conversation of two long messages is over its budget."""
    wanted: Json = {"context_tokens": 5_000, **asked}
    ref = CapabilityRef(ref="compaction", config=wanted)
    who = msgspec.structs.replace(agent(), capabilities=(ref,))
    return config_of(who)


def message(id_: str, role: Role, text: str) -> Message:
    content = (TextPart(text=text),)
    return Message(id=id_, role=role, content=content, created_at="2026-01-01T00:00:00.000Z")


def conversation() -> tuple[StoredEvent, ...]:
    """Two inputs with an answer between them; positions 1 to 5."""
    answer = OutputMessageCompleted(message=message("message_a", "agent", LONG))
    return (
        event(1, "input.message", {"message": message("message_1", "user", LONG)}),
        event(2, "reason.started", ReasonStarted(harness_id="h", consumed=("message_1",))),
        event(3, "output.message.completed", answer),
        event(4, "input.message", {"message": message("message_2", "user", "And now?")}),
        event(5, "reason.started", ReasonStarted(harness_id="h", consumed=("message_2",))),
    )


def script(*failures: Failure, summary: str = SAYS) -> Script:
    """Summarises where it is asked to; else it fails as often as said, then answers."""
    left = list(failures)

    async def play(request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        usage = Usage(input_tokens=10, output_tokens=1)
        if request.metadata.get("purpose") == "compaction":
            yield Done(text=summary, usage=usage)
        elif left:
            raise ModelFailure(left.pop(0))
        else:
            yield Done(text="hi", usage=usage)

    return play


async def granted(engine: Conversation, *, fence: int = 1) -> tuple[list[tuple[str, Json]], bytes]:
    """What the worker wrote down on its way, each granted, and its result."""
    told: list[tuple[str, Json]] = []
    while True:
        frame = await engine.until(lambda f: f.emits or f.results)
        for emit in frame.emits:
            told += [(one.type, one.data) for one in emit.events]
            engine.grant_emit(held(fence=fence), emit.counter)
        if frame.results:
            return told, frame.results[0].body


def give(engine: Conversation, conf: Config, *, fence: int = 1) -> None:
    payload = reason_payload(through_seq=5)
    engine.give(task(held(fence=fence), payload, config=conf, tail=conversation()))


async def run(conf: Config, script_: Script) -> tuple[list[tuple[str, Json]], ReasonResult, Bench]:
    async with bench(script=script_, registry=builtin_registry()) as b:
        engine = await b.engine.attached()
        give(engine, conf)
        told, body = await granted(engine)
        return told, RESULT.decode(body), b


OVERFLOW = Failure(error_class="context_overflow", code="request_too_large", message="too long")


async def test_a_conversation_over_its_budget_is_told_shorter_and_written_down() -> None:
    told, result, b = await run(config(), script())

    summary, asked = b.model.requests
    assert [type_ for type_, _ in told] == ["context.compacting", "context.compacted"]
    assert told[1][1]["summary"] == SAYS
    assert (told[1][1]["messages_before"], told[1][1]["messages_after"]) == (3, 2)
    assert summary.tools == ()
    assert "shorter" in summary.system
    assert [type(one).__name__ for one in asked.messages] == ["FactsMessage", "UserMessage"]
    assert (result.text, result.usage) == ("hi", Usage(input_tokens=20, output_tokens=2))
    assert result.helper_calls == 1


async def test_one_that_fits_is_not_touched() -> None:
    told, _, b = await run(config(context_tokens=100_000), script())

    assert told == []
    assert len(b.model.requests) == 1


async def test_a_prompt_that_a_model_refuses_as_too_long_is_told_shorter_once() -> None:
    lazy = config(context_tokens=100_000, proactive=False)
    told, result, _ = await run(lazy, script(OVERFLOW))
    refused, failed, _ = await run(lazy, script(OVERFLOW, OVERFLOW))

    assert told[0][1]["reason"] == "request_too_large"
    assert (result.text, result.failure) == ("hi", None)
    assert len(refused) == 2
    assert failed.failure == OVERFLOW


async def test_a_cancel_while_a_refused_prompt_is_told_shorter_ends_the_call() -> None:
    summarising = asyncio.Event()

    async def play(request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        if request.metadata.get("purpose") != "compaction":
            raise ModelFailure(OVERFLOW)
        summarising.set()
        await asyncio.Event().wait()
        yield Done(text=SAYS)

    async with bench(script=play, registry=builtin_registry()) as b:
        engine = await b.engine.attached()
        give(engine, config(context_tokens=100_000, proactive=False))
        work = asyncio.create_task(granted(engine))
        await summarising.wait()
        engine.say(ToWorker(cancelled=(held(),)))
        told, body = await work

    failure = RESULT.decode(body).failure
    assert failure is not None
    assert failure.error_class == "cancelled"
    assert "context.compacted" not in [type_ for type_, _ in told]
    assert len(b.model.requests) == 2, "no call follows the one that was cancelled"


async def test_a_summary_that_fails_leaves_the_conversation_as_it_is() -> None:
    told, result, b = await run(config(), script(summary=" "))

    assert [type_ for type_, _ in told] == ["context.compacting", "context.compaction.failed"]
    assert (result.text, len(b.model.requests[-1].messages)) == ("hi", 3)


async def test_a_summary_that_breaks_off_is_none() -> None:
    async def play(request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        if request.metadata.get("purpose") == "compaction":
            yield TextDelta("What was s")
        else:
            yield Done(text="hi")

    told, result, _ = await run(config(), play)

    assert [type_ for type_, _ in told] == ["context.compacting", "context.compaction.failed"]
    assert "ended early" in str(told[1][1])
    assert result.text == "hi"


async def test_a_later_attempt_takes_what_an_earlier_one_wrote_down() -> None:
    told, result, _ = await run(config(), script())
    before = [event(5 + at, type_, data) for at, (type_, data) in enumerate(told, 1)]
    async with bench(script=script(), registry=builtin_registry()) as b:
        b.log.events[SESSION] = [*conversation(), *before]
        b.log.open_anchor(SESSION, ANCHOR, 2)
        engine = await b.engine.attached()
        give(engine, config(), fence=2)
        again, body = await granted(engine, fence=2)

    assert [type_ for type_, _ in again] == ["reason.recovered"]
    assert len(b.model.requests) == 1
    assert RESULT.decode(body).request_hash == result.request_hash
