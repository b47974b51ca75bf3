"""What users' code may well do and no frame or column carries: it fails by name, others go on."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from typing_extensions import override

from mainspring import Retry, RetryAfter, Worker, run_child, sleep, step, wait_for_signal, workflow
from mainspring_engine.adapters.grpc_worker import WorkerServicer
from mainspring_engine.main import Engine
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_kernel.limits import FRAME_BYTES_TARGET, RPC_MESSAGE_BYTES_MAX, WORKFLOW_WAITS_MAX
from mainspring_rpc import serve
from mainspring_rpc.services import worker_service
from mainspring_schema.workflows import GetWorkflow, StartWorkflow, WorkflowView
from tests.integration.engine.ending import ending
from tests.integration.engine.house import House

CHILD_BYTES = FRAME_BYTES_TARGET // 3
CHILDREN = 2 * RPC_MESSAGE_BYTES_MAX // CHILD_BYTES
TOO_LATE_S = 1e12
once = step(retry=Retry(attempts=1))


class Mute(Exception):
    @override
    def __str__(self) -> str:
        raise RuntimeError


@once
async def says_much() -> None:
    raise ValueError("x" * (2 * RPC_MESSAGE_BYTES_MAX))


@once
async def says_no_unicode() -> None:
    message = "x\udce9\0"
    raise OSError(message)


@once
async def comes_late() -> None:
    raise RetryAfter(TOO_LATE_S)


@once
async def exits() -> None:
    sys.exit(2)


@once
def exits_in_its_thread() -> None:
    sys.exit("no such file")


@workflow
async def calls(which: int) -> None:
    steps = [says_much, says_no_unicode, comes_late, exits, exits_in_its_thread]
    await steps[which]()


@workflow
async def fails(which: int) -> None:
    failures = [ValueError("x" * (2 * RPC_MESSAGE_BYTES_MAX)), OSError("\udce9"), Mute()]
    raise [*failures, SystemExit(3)][which]


@workflow
async def waits(which: int) -> None:
    await [
        lambda: sleep(float("inf")),
        lambda: wait_for_signal("x" * 1000),
        lambda: wait_for_signal("\udce9"),
    ][which]()


@workflow
async def waits_often(times: int) -> int:
    return len(await asyncio.gather(*(sleep(0.001) for _ in range(times))))


@workflow
async def measures(text: str) -> int:
    return len(text)


@workflow
async def spreads(children: int) -> int:
    texts = ["z" * CHILD_BYTES] * children
    return sum(await asyncio.gather(*(run_child(measures, text) for text in texts)))


Ending = Callable[[str, int], Awaitable[WorkflowView]]


@pytest.fixture
async def end_of(house: House) -> AsyncGenerator[Ending]:
    """Has one of the workflows carried out by a worker over the wire."""
    async with house.working() as engine, at_work(engine):

        async def run(type_: str, argument: int) -> WorkflowView:
            id_ = house.ids.uuid7()
            start = StartWorkflow(
                org_id=DEFAULT_ORG_ID, workflow_id=id_, type=type_, input=b"[%d]" % argument
            )
            async with ending(house.bus, id_):
                await engine.workflows.start(start)
            asked = GetWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=id_)
            return await engine.workflows.get(asked)

        yield run


@asynccontextmanager
async def at_work(engine: Engine) -> AsyncGenerator[None]:
    server = await serve("127.0.0.1:0", [worker_service(WorkerServicer(engine.conversations))])
    server.set_serving(serving=True)
    try:
        async with Worker(
            [calls, fails, waits, waits_often, spreads, measures], engine=server.address
        ):
            yield
    finally:
        await engine.drain()
        await server.stop()


@pytest.mark.parametrize(
    ("type_", "which", "code", "message"),
    [
        ("calls", 0, "step_failed", "step 1 (says_much): xxx"),
        ("calls", 1, "step_failed", "step 1 (says_no_unicode): x?"),
        ("calls", 2, "step_failed", "step 1 (comes_late): 1000000000000.0 s: a step comes"),
        ("calls", 3, "step_failed", "step 1 (exits): it called sys.exit(2)"),
        ("calls", 4, "step_failed", "step 1 (exits_in_its_thread): it called sys.exit('no such"),
        ("fails", 0, "workflow_failed", "xxx"),
        ("fails", 1, "workflow_failed", "?"),
        ("fails", 2, "workflow_failed", "Mute"),
        ("fails", 3, "workflow_failed", "it called sys.exit(3)"),
        ("waits", 0, "workflow_failed", "inf s is longer"),
        ("waits", 1, "workflow_failed", "xxx"),
        ("waits", 2, "workflow_failed", "'utf-8' codec can't encode"),
    ],
)
async def test_what_nothing_carries_fails_its_workflow_and_costs_the_worker_nothing(
    end_of: Ending, type_: str, which: int, code: str, message: str
) -> None:
    view, other = await asyncio.gather(end_of(type_, which), end_of("spreads", 1))

    assert view.status == "failed"
    assert view.flaw is not None
    assert view.flaw.code == code
    assert view.flaw.message.startswith(message)
    assert len(view.flaw.message) < FRAME_BYTES_TARGET
    assert (other.status, other.result) == ("completed", b"%d" % CHILD_BYTES)


async def test_children_whose_inputs_fill_many_frames_are_started_too(
    end_of: Ending,
) -> None:
    view = await end_of("spreads", CHILDREN)

    assert (view.status, view.result) == ("completed", b"%d" % (CHILDREN * CHILD_BYTES))


async def test_more_waits_than_are_kept_at_once_take_turns(end_of: Ending) -> None:
    many = WORKFLOW_WAITS_MAX + 100

    view = await end_of("waits_often", many)

    assert (view.status, view.result) == ("completed", b"%d" % many)


async def test_workflows_whose_inputs_fill_many_frames_reach_their_worker(house: House) -> None:
    starts = [
        StartWorkflow(
            org_id=DEFAULT_ORG_ID,
            workflow_id=house.ids.uuid7(),
            type="measures",
            input=b'["%s"]' % (b"z" * CHILD_BYTES),
        )
        for _ in range(CHILDREN)
    ]
    async with house.working() as engine, at_work(engine), AsyncExitStack() as ends:
        for start in starts:
            await ends.enter_async_context(ending(house.bus, start.workflow_id))
        await asyncio.gather(*(engine.workflows.start(start) for start in starts))
