"""A plain task brings a webhook the news of a session's end: until it takes them, or for good."""

import msgspec
import pytest

from mainspring_kernel.ids import Prefix, to_wire
from mainspring_schema.frames import Task
from mainspring_schema.session_ends import SESSION_END, SessionEnd
from mainspring_schema.tasks import PlainResult, PlainTask
from mainspring_worker.adapters.memory import MemoryHooks
from mainspring_worker.ports.hooks import HookFailed, HookRefused
from mainspring_worker.usecases.session_ends import ATTEMPTS_MAX
from tests.unit.worker.making import held, task
from tests.unit.worker.workbench import bench

END = SessionEnd(
    url="https://hooks.test/end", body='{"event":"session_end"}', hook_id="h", timeout_ms=500
)
WRITTEN = msgspec.json.encode(END)


def telling(input_: bytes, *, failures: int = 0) -> Task:
    given = task(held(), PlainTask(task_type=SESSION_END, input=input_))
    return msgspec.structs.replace(given, failures=failures)


async def told(hooks: MemoryHooks, *, failures: int = 0, input_: bytes = WRITTEN) -> PlainResult:
    async with bench(hooks=hooks) as b:
        engine = await b.engine.attached()
        engine.give(telling(input_, failures=failures))
        frame = await engine.until(lambda frame: frame.results)
    return msgspec.msgpack.decode(frame.results[0].body, type=PlainResult)


async def test_the_webhook_gets_what_was_written_down() -> None:
    hooks = MemoryHooks()

    result = await told(hooks)

    assert result == PlainResult()
    assert hooks.asked == [("h", {"event": "session_end"})]
    assert hooks.keys == [to_wire(Prefix.TASK, held().task_id)]


async def test_a_webhook_that_fails_is_told_again_after_longer_and_longer_pauses() -> None:
    hooks = MemoryHooks()
    hooks.answers["h"] = HookFailed("the webhook answered with status 503")

    pauses = [(await told(hooks, failures=n)).retry_ms for n in range(ATTEMPTS_MAX)]

    assert pauses == [4_000, 8_000, 16_000, 32_000, 60_000, None]


async def test_an_address_that_may_not_be_asked_ends_it_for_good() -> None:
    hooks = MemoryHooks()
    hooks.answers["h"] = HookRefused("no public host")

    result = await told(hooks)

    assert (result.retry_ms, result.lasting) == (None, True)
    assert result.flaw is not None
    assert (result.flaw.code, result.flaw.message) == ("hook_failed", "no public host")


@pytest.mark.parametrize(
    "wrong",
    [
        {"timeout_ms": 0},
        {"signature": "t=1,v1=aa\r\nX-Other: 1"},
        {"more": 1},
    ],
)
async def test_what_is_no_such_request_is_not_sent(wrong: dict[str, object]) -> None:
    hooks = MemoryHooks()
    written = msgspec.to_builtins(END) | wrong

    result = await told(hooks, input_=msgspec.json.encode(written))

    assert result.flaw is not None
    assert (result.flaw.code, result.lasting) == ("invalid_arguments", True)
    assert hooks.asked == []
