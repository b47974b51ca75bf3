"""What a worker brings that nobody can read costs it that result, and no more."""

import hashlib

import pytest

from mainspring_engine.main import Engine
from mainspring_schema.codec import pack
from mainspring_schema.frames import FromWorker, Result, Verdict
from mainspring_schema.tasks import PlainResult, ToolResult
from tests.integration.engine.scripted_worker import ScriptedWorker
from tests.unit.engine.test_plain_tasks import many, order

DEEP = 100_000
_SHALLOW = pack({"a": 1})


@pytest.mark.parametrize(
    "body",
    [
        pack(PlainResult(result=b"[" * DEEP + b"]" * DEEP)),
        pack(ToolResult(status="success", result={"a": 1})).replace(
            _SHALLOW, b"\x91" * DEEP + b"\x01"
        ),
    ],
    ids=["a value", "a message"],
)
async def test_a_result_that_is_nested_too_deeply_is_refused_and_ends_no_stream(
    engine: Engine, worker: ScriptedWorker, body: bytes
) -> None:
    await engine.plain_tasks.submit(many(order(), order()))
    one, two = await worker.next_task(), await worker.next_task()

    digest = hashlib.sha256(body).digest()
    worker.send(FromWorker(results=(Result(held=one.held, hash=digest, body=body),)))
    refused = await worker.acknowledged()
    worker.bring(two, PlainResult(result=b"3"))
    kept = await worker.acknowledged()

    assert (refused.held, refused.verdict) == (one.held, Verdict.INVALID)
    assert (kept.held, kept.verdict) == (two.held, Verdict.COMMITTED)
